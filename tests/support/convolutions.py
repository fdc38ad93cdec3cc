"""Convolutions that kernels of every precision are tested with."""

from __future__ import annotations

from typing import NamedTuple

SAME3 = (1, 1, 1, 1)


class Convolution(NamedTuple):
    """One convolution; sizes are x [n, h, w, c] and w [o, c / groups, kh, kw]."""

    c: int
    h: int
    w: int
    o: int
    kernel: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1
    n: int = 1

    def window(self):
        return {
            "strides": self.strides,
            "pads": self.pads,
            "dilations": self.dilations,
            "groups": self.groups,
            "layout": "NHWC",
        }
