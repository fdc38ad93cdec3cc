"""``remove`` with the keywords of rembg."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.png import encode_png
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.rembg.cutting import (
    Matting,
    Pixels,
    decontaminated,
    multiplied,
    on_colour,
    with_alpha,
)
from pyhades.segmentation.rembg.keywords import OF_SESSIONS, refuse_unknown
from pyhades.segmentation.rembg.masks import smoothed
from pyhades.segmentation.rembg.session import Session, new_session
from pyhades.segmentation.remover import Remover

Data = TypeVar("Data", bytes, Image.Image, NDArray[Any])


@runtime_checkable
class Predicting(Protocol):
    """A session of somebody else's, such as one of rembg's own."""

    def predict(self, img: Image.Image, /) -> list[Image.Image]:
        """Masks of a picture, mode L and of its size."""


def remove(
    data: Data,
    alpha_matting: bool = False,
    alpha_matting_foreground_threshold: int = 240,
    alpha_matting_background_threshold: int = 10,
    alpha_matting_erode_size: int = 10,
    session: Predicting | None = None,
    only_mask: bool = False,
    post_process_mask: bool = False,
    decontaminate: bool = False,
    vitmatte: bool = False,
    vitmatte_model: str | None = None,
    bgcolor: tuple[int, int, int, int] | None = None,
    force_return_bytes: bool = False,
    *,
    putalpha: bool = False,
    **others: Any,
) -> Data:
    """Remove the background of a picture: the call of rembg, with its keywords and its results.

    Parameters
    ----------
    data
        The bytes of a file, a PIL image or an array.
    alpha_matting
        Refine the edges of the mask by the picture, and give soft edges the colour of the
        foreground. rembg solves for a closed form here, pyhades takes a guided filter, so that
        edges differ.
    alpha_matting_foreground_threshold, alpha_matting_background_threshold
        Levels above and below which a mask is sure.
    alpha_matting_erode_size
        By how many pixels what is sure is drawn in.
    session
        From :func:`new_session`, or anything with rembg's ``predict``; by default one of
        ``"u2net"``, which is kept for the next call.
    only_mask
        Return the mask.
    post_process_mask
        Smooth the mask, and make it hard.
    decontaminate
        Give soft edges the colour of the foreground.
    vitmatte, vitmatte_model
        Refused: they take a network of their own.
    bgcolor
        Red, green, blue and opacity, 0..255, of what to put the cut-out on.
    force_return_bytes
        Return a PNG file, whatever ``data`` is.
    putalpha
        Leave the colours of the picture as they are; only the opacity is new.
    **others
        Keywords of :func:`new_session`, for the session that is made where none is given.

    Returns
    -------
    bytes, PIL.Image.Image or numpy.ndarray
        Of the kind of ``data``: a PNG file, an image, or uint8 ``[height, width, channels]``. RGBA,
        or grey for a mask. Colour profile and resolution are kept.

    Raises
    ------
    ArgumentError
        A value makes no sense, or is of a kind that rembg does not take, either.
    ArgumentTypeError
        A keyword has no meaning.
    ImageError
        The picture cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> Path("cat.png").write_bytes(remove(Path("cat.jpg").read_bytes()))   # doctest: +SKIP
    """
    if vitmatte or vitmatte_model is not None:
        raise ArgumentError(
            "vitmatte needs a network of its own, which pyhades has not; alpha_matting=True "
            "refines edges without one"
        )
    image, give_back = _read(data, force_return_bytes)
    session = _session(session, others)
    cut: Callable[[LoadedImage, Pixels], Pixels]
    if alpha_matting:
        cut = Matting(
            alpha_matting_foreground_threshold, alpha_matting_background_threshold,
            alpha_matting_erode_size, made_at=getattr(session, "made_at", None),
        ).cut  # fmt: skip
    elif putalpha:
        cut = with_alpha
    else:
        cut = decontaminated if decontaminate else multiplied
    masks = _masks(session, image)
    if post_process_mask:
        masks = [smoothed(mask) for mask in masks]
    results = masks if only_mask else [cut(image, mask) for mask in masks]
    pixels = results[0] if len(results) == 1 else np.concatenate(results)
    if bgcolor is not None and not only_mask:
        pixels = on_colour(pixels, bgcolor)
    result: Data = give_back(pixels)
    return result


def _read(data: object, force_bytes: bool) -> tuple[LoadedImage, Callable[[Pixels], Any]]:
    """The picture, and what makes a result of the same kind of pixels."""
    if not isinstance(data, bytes | bytearray | memoryview | Image.Image | np.ndarray):
        raise ArgumentError(
            f"data is {type(data).__name__}; expected the bytes of a file, a PIL image or an array"
        )
    image = load_image(data)
    if isinstance(data, np.ndarray) and not force_bytes:
        return image, lambda pixels: pixels
    if isinstance(data, Image.Image) and not force_bytes:
        return image, functools.partial(_as_image, image)
    return image, lambda pixels: encode_png(
        pixels, icc_profile=_profile(image, pixels), dpi=image.dpi
    )


def _as_image(image: LoadedImage, pixels: Pixels) -> Image.Image:
    picture = Image.fromarray(pixels)
    facts = {"icc_profile": _profile(image, pixels), "dpi": image.dpi}
    picture.info.update({key: value for key, value in facts.items() if value is not None})
    return picture


def _profile(image: LoadedImage, pixels: Pixels) -> bytes | None:
    """The profile of the colours; a mask has none."""
    return image.icc_profile if pixels.ndim == 3 else None


def _masks(session: Predicting, image: LoadedImage) -> list[Pixels]:
    if isinstance(session, Session):
        return [session.mask(image)]
    masks = [np.asarray(mask.convert("L")) for mask in session.predict(Image.fromarray(image.rgb))]
    if not masks or any(mask.shape != image.size for mask in masks):
        raise ArgumentError(
            f"session={session!r}: predict() gave masks of {[mask.shape for mask in masks]} for a "
            f"picture of {image.size}"
        )
    return masks


def _session(session: Predicting | None, others: Mapping[str, Any]) -> Predicting:
    """The session to use: the one that is given, or one that is kept for such calls."""
    if session is None:
        refuse_unknown("remove", set(others) - OF_SESSIONS, frozenset(), "")
        return _kept_session(**{name: _hashable(value) for name, value in others.items()})
    if not isinstance(session, Predicting) or isinstance(session, Remover):
        raise ArgumentTypeError(
            f"session is {type(session).__name__}; expected what new_session() returns"
        )
    refuse_unknown("remove", others, OF_SESSIONS, "are for new_session()")
    return session


@functools.lru_cache(maxsize=2)
def _kept_session(**keywords: Any) -> Session:
    return new_session(**keywords)


def _hashable(value: Any) -> Any:
    """Lists of providers, each of which may come with options."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(name if isinstance(name, str) else str(name[0]) for name in value)
