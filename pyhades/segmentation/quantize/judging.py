"""Masks of quantised networks beside those of the float one, on the pictures held out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pyhades.ir.graph import Graph
from pyhades.segmentation.quantize.calibration import Calibration
from pyhades.segmentation.quantize.pictures import Picture
from pyhades.segmentation.quantize.scores import Budget, Score

FOUND = 1e-3
"""Mean of a mask that covers something."""


class Judge:
    """The pictures held out, and what the float network makes of them.

    Parameters
    ----------
    calibration
        Of the float network.
    graph
        The float network.
    pictures
        That are held out.
    budget
        What masks may differ by.
    """

    def __init__(
        self, calibration: Calibration, graph: Graph, pictures: Sequence[Picture], budget: Budget
    ) -> None:
        self._calibration, self.budget = calibration, budget
        masks = calibration.masks(graph, pictures)
        wanted = list(calibration.told("float masks", len(pictures), masks))
        kept = _doubtful(pictures, wanted)
        self._pictures, self._wanted = [pictures[i] for i in kept], [wanted[i] for i in kept]
        self._order = list(range(len(kept)))

    def scores(self, graph: Graph) -> tuple[Score, ...]:
        """Of all pictures, in their order. Later attempts begin with those that lose the most."""
        masks = self._calibration.masks(graph, self._pictures)
        every = range(len(self._pictures))
        scores = self.compared(every, self._calibration.told("masks", len(every), masks))
        spent = [self.budget.spent([score]) for score in scores]
        self._order = sorted(self._order, key=lambda index: -spent[index])
        return scores

    def attempt(self, graph: Graph) -> tuple[Score, ...] | None:
        """Of all pictures; None as soon as those looked at lose more than all of them may."""
        found: dict[int, Score] = {}
        count = len(self._pictures)
        pictures = [self._pictures[index] for index in self._order]
        masks = self._calibration.masks(graph, pictures)
        for index, mask in zip(
            self._order, self._calibration.told("masks", count, masks), strict=False
        ):
            found[index] = Score.of(self._pictures[index].name, mask, self._wanted[index])
            if self.budget.spent(list(found.values()), count) > 1:
                masks.close()
                return None
        return tuple(found[index] for index in range(count))

    def pictures(self, indices: Sequence[int]) -> list[Picture]:
        """Those with these indices."""
        return [self._pictures[index] for index in indices]

    def compared(
        self, indices: Sequence[int], masks: Iterable[NDArray[np.float32]]
    ) -> tuple[Score, ...]:
        """Masks of the pictures with these indices."""
        return tuple(
            Score.of(self._pictures[index].name, mask, self._wanted[index])
            for index, mask in zip(indices, masks, strict=True)
        )

    def hardest(self, count: int) -> list[int]:
        """Indices of the pictures that lost the most, at most so many of them."""
        return self._order[: self._calibration.fewer(count, self._pictures[0])]


def doubt_of(mask: NDArray[np.float32]) -> float:
    """How much of a mask is undecided: what its soft IoU loses per error of its logits.

    To first order an error ``d`` of the logits moves a mask ``m`` by ``m * (1 - m) * d``.
    """
    m = mask.astype(np.float64)
    return float((m * (1 - m)).sum() / max(m.sum(), 1e-9))


def _doubtful(pictures: Sequence[Picture], masks: Sequence[NDArray[np.float32]]) -> list[int]:
    """Indices of all pictures but scenes for judging that tell nothing, or little.

    Scenes of code are easier than what is met elsewhere: in most the network is sure of every
    pixel, and eight bits lose nothing. The half that it is surest of is left out, and where it
    finds nothing: soft IoU would compare noise with noise. Pictures of the caller's are judged all,
    as they are.
    """
    scenes = [i for i, picture in enumerate(pictures) if picture.judged]
    doubts = {i: doubt_of(masks[i]) for i in scenes if masks[i].mean() >= FOUND}
    telling = set(sorted(doubts, key=lambda i: -doubts[i])[: -(-len(scenes) // 2)])
    # A network that finds nothing in any of them is judged on all.
    return [i for i in range(len(pictures)) if i not in scenes or i in telling or not telling]
