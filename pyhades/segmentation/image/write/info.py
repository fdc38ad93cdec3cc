"""What goes into a file beside its pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.metadata import upright_exif


@dataclass(frozen=True)
class Info:
    """What goes into a file beside its pixels.

    Attributes
    ----------
    icc_profile
        Of the space that the pixels are in; None for sRGB, and for what has no colour.
    dpi
        ``(horizontal, vertical)`` resolution in dots per inch.
    exif
        A raw block, without the prefix ``Exif``.
    xmp
        A packet.
    name
        What to call the picture in messages.
    """

    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    name: str = "image"

    @classmethod
    def of(cls, image: LoadedImage, *, colour: bool = True, strip: bool = False) -> Info:
        """That of a picture.

        Parameters
        ----------
        image
            The picture.
        colour
            Whether the pixels have colours; else a profile would say nothing of them.
        strip
            Leave out EXIF and XMP.
        """
        profile = image.icc_profile if colour else None
        if strip:
            return cls(profile, image.dpi, name=image.name)
        return cls(profile, image.dpi, image.exif, image.xmp, image.name)

    def fitted(self, size: tuple[int, int]) -> Info:
        """The same for pixels of this ``(height, width)``, which EXIF says, too."""
        exif = None if self.exif is None else upright_exif(self.exif, size)
        return self if exif == self.exif else replace(self, exif=exif)
