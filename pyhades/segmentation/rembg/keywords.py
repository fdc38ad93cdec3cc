"""Which keywords have a meaning in which of the two functions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from pyhades.errors import ArgumentTypeError

OF_SESSIONS = frozenset({
    "model_name", "providers", "sess_opts", "model_path", "download", "options",
})  # fmt: skip
OF_REMOVE = frozenset({
    "alpha_matting", "alpha_matting_foreground_threshold", "alpha_matting_background_threshold",
    "alpha_matting_erode_size", "only_mask", "post_process_mask", "decontaminate", "vitmatte",
    "vitmatte_model", "bgcolor", "force_return_bytes", "putalpha",
})  # fmt: skip


def refuse_unknown(
    function: str, given: Iterable[str], elsewhere: frozenset[str], why: str
) -> None:
    """Raise for keywords that mean nothing, warn of those that do not mean anything here.

    Parameters
    ----------
    function
        What the caller called.
    given
        Names of keywords that are none of its own.
    elsewhere
        Those that rembg passes over here.
    why
        What to say of those.

    Raises
    ------
    ArgumentTypeError
        One is not among ``elsewhere``.
    """
    unknown = sorted(set(given) - elsewhere)
    if unknown:
        raise ArgumentTypeError(
            f"{function}() got {', '.join(unknown)}: no session of pyhades knows such a keyword"
        )
    if given := sorted(given):
        warnings.warn(
            f"{function}(): {', '.join(given)} {why} and not used here", UserWarning, stacklevel=3
        )
