"""What comes out: an image, its matte, and the forms in which a caller may want them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades import kernels
from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.compose import Background, composite_over
from pyhades.segmentation.deep import Prediction, deep_alpha, deep_over, deep_rgba
from pyhades.segmentation.finish.finish import Finish
from pyhades.segmentation.finish.finished import Finished
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


def output_of(output: Output, background: object, finish: Finish | None) -> Output:
    """What is to be shown; finishing may ask for the matte alone.

    Raises
    ------
    ArgumentError
        There is no such output, or it has no colours to put on the background.
    ArgumentTypeError
        ``finish`` is something else.
    """
    one_of("output", output, Output)
    if finish is not None and not isinstance(finish, Finish):
        raise ArgumentTypeError(f"finish is {type(finish).__name__}, not a Finish")
    only = None if finish is None else finish.only
    if background is not None and (output == "mask" or only is not None):
        what = "output='mask'" if only is None else f"only={only!r}"
        raise ArgumentError(f"{what} has no colours to put on a background")
    return output if only is None else "mask"


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
    finished
        What :meth:`finish` left to be done once there are pixels.
    engine
        What made the matte, such as ``"onnxruntime:cuda"``; empty where it was brought along.
    """

    image: LoadedImage
    alpha: NDArray[np.uint8]
    estimate_foreground: bool = True
    keep_hidden: bool = False
    kernel_options: dict[str, Any] = field(default_factory=dict)
    buffers: Buffers = field(default=FRESH, repr=False, compare=False)
    prediction: Prediction | None = field(default=None, repr=False, compare=False)
    finished: Finished | None = None
    engine: str = field(default="", compare=False)

    def finish(self, steps: Finish | None) -> Cutout:
        """The same cut-out after steps such as cropping; itself where there are none.

        Its matte is the one after all steps up to the feather, still at the size of the image. What
        is shown of it, how large, and with what shadow, is seen in :meth:`pixels`.

        Raises
        ------
        ImageError
            There is no subject to crop to.
        ArgumentError
            The cut-out was finished before.
        """
        if steps is None:
            return self
        if self.finished is not None:
            raise ArgumentError("the cut-out was finished already; give all steps at once")
        made_at = None if self.prediction is None else max(self.prediction.plane.shape)
        alpha = steps.matte(self.image.rgb, self.alpha, made_at=made_at)
        layout = steps.layout(alpha, self.image.name)
        return replace(self, alpha=alpha, finished=Finished(steps, layout))

    def rgba(self) -> NDArray[np.uint8]:
        """Return the cut-out with straight alpha; uint8 ``[height, width, 4]``."""
        rgba = self._cut()
        return rgba if self.finished is None else self.finished.rgba(rgba)

    def _cut(self) -> NDArray[np.uint8]:
        """The cut-out at the size of the image."""
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
        if self.finished is not None:
            return self.finished.behind(background, self.image, self.alpha)
        return background.render(self.image.rgb, self.alpha, self.image.icc_profile)

    def pixels(
        self, output: Output = "rgba", background: Background | None = None
    ) -> NDArray[np.uint8]:
        """Return the mask ``[h, w]``, the composite ``[h, w, 3]`` or the cut-out ``[h, w, 4]``."""
        if self._shown(output, background) == "mask":
            return self.alpha if self.finished is None else self.finished.grey(self.alpha)
        return self.rgba() if background is None else self.over(background)

    def deep_pixels(
        self, output: Output = "rgba", background: Background | None = None
    ) -> NDArray[np.uint16]:
        """As :meth:`pixels`, with 16 bits: 0 to 65535.

        Colours are those of the picture where it has 16 bits. Where the matte is soft, the
        foreground's are estimated with eight, and the difference is applied.
        """
        alpha = deep_alpha(self.image, self.alpha, self.prediction, **self.kernel_options)
        if self._shown(output, background) == "mask":
            return alpha if self.finished is None else self.finished.deep_grey(alpha)
        rgba = deep_rgba(self.image, self._cut(), alpha, keep_hidden=self.keep_hidden)
        if self.finished is not None:
            rgba = self.finished.rgba(rgba)
        return rgba if background is None else deep_over(rgba, self._behind(background))

    def to_pil(self, output: Output = "rgba", background: Background | None = None) -> Image.Image:
        """Return :meth:`pixels`, with what belongs to the picture in ``info``.

        That is its resolution, EXIF, XMP and, unless a mask is asked for, its colour profile.
        """
        output = self._shown(output, background)
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
        output = self._shown(output, background)
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

    def _shown(self, output: Output, background: Background | None) -> Output:
        return output_of(output, background, self.finished.steps if self.finished else None)

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
    coming = iter(cutouts)
    first = next(coming)
    output = output_of(output, background, first.finished.steps if first.finished else None)
    options = options or WriteOptions()
    kind = check_output(suffix, output, background, options)
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
