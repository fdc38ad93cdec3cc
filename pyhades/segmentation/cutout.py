"""What comes out: an image, its matte, and the forms in which a caller may want them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades import kernels
from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.compose import Background, composite_over
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.png import Compression, png_parts

Output = Literal["rgba", "mask"]

FILE_FORMATS = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".jpg": "JPEG"}
FILE_FORMATS[".jpeg"] = "JPEG"


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
    """

    image: LoadedImage
    alpha: NDArray[np.uint8]
    estimate_foreground: bool = True
    keep_hidden: bool = False
    kernel_options: dict[str, Any] = field(default_factory=dict)
    buffers: Buffers = field(default=FRESH, repr=False, compare=False)

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
        behind = background.render(self.image.rgb, self.alpha)
        return composite_over(self.rgba(), behind, **self.kernel_options)

    def pixels(
        self, output: Output = "rgba", background: Background | None = None
    ) -> NDArray[np.uint8]:
        """Return the mask ``[h, w]``, the composite ``[h, w, 3]`` or the cut-out ``[h, w, 4]``."""
        if one_of("output", output, Output) == "mask":
            return self.alpha
        return self.rgba() if background is None else self.over(background)

    def to_pil(self, output: Output = "rgba", background: Background | None = None) -> Image.Image:
        """Return :meth:`pixels` with resolution and (unless a mask) colour profile in ``info``."""
        picture = Image.fromarray(self.pixels(output, background))
        if self.image.dpi:
            picture.info["dpi"] = self.image.dpi
        if self.image.icc_profile and output != "mask":
            picture.info["icc_profile"] = self.image.icc_profile
        return picture

    def encode(
        self,
        output: Output = "rgba",
        background: Background | None = None,
        *,
        suffix: str = ".png",
        png: Compression = "fast",
    ) -> bytes:
        """Return the same as the content of a file whose name ends in ``suffix``."""
        return b"".join(self.encode_parts(output, background, suffix=suffix, png=png))

    def encode_parts(
        self,
        output: Output = "rgba",
        background: Background | None = None,
        *,
        suffix: str = ".png",
        png: Compression = "fast",
    ) -> list[bytes]:
        """As :meth:`encode`, in pieces that follow one another."""
        one_of("output", output, Output)
        one_of("png", png, Compression)
        file_format = FILE_FORMATS.get(suffix.lower())
        if file_format is None:
            raise ArgumentError(
                f"cannot write {suffix!r} files; choose one of {', '.join(FILE_FORMATS)}"
            )
        if file_format == "JPEG" and output == "rgba" and background is None:
            raise ArgumentError("JPEG has no transparency; write PNG or WebP, or give a background")
        if file_format != "PNG":
            return [self._encode_by_pillow(file_format, output, background)]
        profile = None if output == "mask" else self.image.icc_profile
        return png_parts(
            self.pixels(output, background), icc_profile=profile, dpi=self.image.dpi,
            compression=png, buffers=self.buffers,
        )  # fmt: skip

    def _encode_by_pillow(
        self, file_format: str, output: Output, background: Background | None
    ) -> bytes:
        picture = self.to_pil(output, background)
        options: dict[str, Any] = {"quality": 95} if file_format == "JPEG" else {}
        if file_format == "WEBP":
            options = {"lossless": True, "exact": self.keep_hidden, "method": 0}
        for key in ("dpi", "icc_profile"):
            if key in picture.info:
                options[key] = picture.info[key]
        buffer = io.BytesIO()
        picture.save(buffer, file_format, **options)
        return buffer.getvalue()
