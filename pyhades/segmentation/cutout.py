"""What comes out: an image, its matte, and the forms in which a caller may want them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades import kernels
from pyhades.arguments import one_of
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.compose import Background, composite_over
from pyhades.segmentation.deep import Prediction, deep_alpha, deep_over, deep_rgba
from pyhades.segmentation.image.loaded import Frame, LoadedImage
from pyhades.segmentation.image.metadata import PREFIX
from pyhades.segmentation.image.png import Compression, Pixels
from pyhades.segmentation.image.write import (
    Bits,
    Info,
    WriteOptions,
    WrittenFrame,
    check_output,
    write_frames,
    write_image,
)
from pyhades.segmentation.image.write.spaces import Colour

Output = Literal["rgba", "mask"]


@dataclass(frozen=True)
class Cutout:
    """An image with its matte.

    Attributes
    ----------
    image
        The upright image.
    alpha
        uint8 ``[height, width]``: opacity of the foreground.
    estimate_foreground
        See :func:`pyhades.kernels.cut_out`.
    keep_hidden
        See :func:`pyhades.kernels.cut_out`.
    kernel_options
        ``threads`` and ``isa`` for the image kernels.
    buffers
        Where arrays come from.
    prediction
        What the matte was made of; None where it was brought along.
    """

    image: LoadedImage
    alpha: NDArray[np.uint8]
    estimate_foreground: bool = True
    keep_hidden: bool = False
    kernel_options: dict[str, Any] = field(default_factory=dict)
    buffers: Buffers = field(default=FRESH, repr=False, compare=False)
    prediction: Prediction | None = field(default=None, repr=False, compare=False)

    def rgba(self) -> NDArray[np.uint8]:
        """Return the cut-out with straight alpha; uint8 ``[height, width, 4]``."""
        return kernels.cut_out(
            self.image.rgb,
            self.alpha,
            estimate_foreground=self.estimate_foreground,
            keep_hidden=self.keep_hidden,
            out=self.buffers.array("rgba", (*self.image.size, 4), np.uint8),
            **self.kernel_options,
        )

    def over(self, background: Background) -> NDArray[np.uint8]:
        """Put the foreground on another background; uint8 ``[height, width, 3]``."""
        return composite_over(self.rgba(), self._behind(background), **self.kernel_options)

    def _behind(self, background: Background) -> Colour | NDArray[np.uint8]:
        return background.render(self.image.rgb, self.alpha, self.image.icc_profile)

    def pixels(
        self, output: Output = "rgba", background: Background | None = None
    ) -> NDArray[np.uint8]:
        """Return the mask ``[h, w]``, the composite ``[h, w, 3]`` or the cut-out ``[h, w, 4]``."""
        if one_of("output", output, Output) == "mask":
            return self.alpha
        return self.rgba() if background is None else self.over(background)

    def deep_pixels(
        self, output: Output = "rgba", background: Background | None = None
    ) -> NDArray[np.uint16]:
        """As :meth:`pixels`, with 16 bits: 0 to 65535.

        Colours are those of the picture where it has 16 bits. Where the matte is soft, the
        foreground's are estimated with eight, and the difference is applied.
        """
        alpha = deep_alpha(self.image, self.alpha, self.prediction, **self.kernel_options)
        if one_of("output", output, Output) == "mask":
            return alpha
        rgba = deep_rgba(self.image, self.rgba(), alpha, keep_hidden=self.keep_hidden)
        return rgba if background is None else deep_over(rgba, self._behind(background))

    def to_pil(self, output: Output = "rgba", background: Background | None = None) -> Image.Image:
        """Return :meth:`pixels`, with what belongs to the picture in ``info``.

        That is its resolution, EXIF, XMP and, unless a mask is asked for, its colour profile.
        """
        picture = Image.fromarray(self.pixels(output, background))
        info = Info.of(self.image, colour=output != "mask")
        exif = PREFIX + info.exif if info.exif else None
        found = {"dpi": info.dpi, "icc_profile": info.icc_profile, "exif": exif, "xmp": info.xmp}
        picture.info |= {name: value for name, value in found.items() if value}
        return picture

    def encode(
        self,
        output: Output = "rgba",
        background: Background | None = None,
        *,
        suffix: str = ".png",
        png: Compression = "fast",
        quality: int | None = None,
        lossless: bool | None = None,
        bits: Bits = 8,
        strip: bool = False,
    ) -> bytes:
        """The content of a file whose name ends in ``suffix``.

        Parameters
        ----------
        output, background
            As of :meth:`pixels`.
        suffix
            Says the format, see :data:`~pyhades.segmentation.image.write.FORMATS`.
        png, quality, lossless, bits, strip
            See :class:`~pyhades.segmentation.image.write.WriteOptions`.

        Raises
        ------
        ArgumentError
            The format cannot do what is asked for.
        ImageError
            The picture is too large for the format.
        """
        options = WriteOptions(png, quality, lossless, bits, strip)
        return b"".join(self.encode_parts(output, background, suffix=suffix, options=options))

    def encode_parts(
        self,
        output: Output = "rgba",
        background: Background | None = None,
        *,
        suffix: str = ".png",
        options: WriteOptions | None = None,
    ) -> list[bytes]:
        """As :meth:`encode`, in pieces that follow one another."""
        one_of("output", output, Output)
        options = options or WriteOptions()
        kind = check_output(suffix, output, background, options)
        return write_image(
            self.drawn(output, background, options.bits),
            kind,
            Info.of(self.image, colour=output != "mask", strip=options.strip),
            options,
            exact=self.keep_hidden,
            threads=self.kernel_options.get("threads"),
            buffers=self.buffers,
        )

    def drawn(self, output: Output, background: Background | None, bits: Bits) -> Pixels:
        """:meth:`pixels` or :meth:`deep_pixels`."""
        if bits == 8:
            return self.pixels(output, background)
        return self.deep_pixels(output, background)


def encode_frames(
    cutouts: Iterable[Cutout],
    output: Output = "rgba",
    background: Background | None = None,
    *,
    suffix: str = ".png",
    options: WriteOptions | None = None,
) -> list[bytes]:
    """A file of several cut-outs, the frames of an animation or pages, in pieces.

    Parameters
    ----------
    cutouts
        At least one. Each is asked for when the one before it is written.
    output, background, suffix
        As of :meth:`Cutout.encode`; animations are PNG, WebP, AVIF and GIF, pages are TIFF.
    options
        How they are written.

    Raises
    ------
    ArgumentError
        The format cannot do what is asked for.
    ImageError
        It cannot hold the frames.
    """
    one_of("output", output, Output)
    options = options or WriteOptions()
    kind = check_output(suffix, output, background, options)
    coming = iter(cutouts)
    first = next(coming)
    written = (
        WrittenFrame(
            cutout.drawn(output, background, options.bits),
            Info.of(cutout.image, colour=output != "mask", strip=options.strip),
            cutout.image.frame or Frame(0, 1),
        )
        for cutout in itertools.chain([first], coming)
    )
    return write_frames(
        written,
        kind,
        options,
        exact=first.keep_hidden,
        threads=first.kernel_options.get("threads"),
        buffers=first.buffers,
    )
