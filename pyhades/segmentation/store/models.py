"""From the name of a model to its file on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.segmentation.catalogue import Entry, PublishedFile, find_entry
from pyhades.segmentation.store.download import Progress, download, no_progress
from pyhades.segmentation.store.places import cache_folder, places
from pyhades.segmentation.store.verified import is_published, remember

log = logging.getLogger(__name__)

OFFLINE_VARIABLE = "PYHADES_OFFLINE"


@dataclass(frozen=True)
class Found:
    """A file of a model on this machine."""

    path: Path
    owner: str
    """Whose folder it lies in: ``"pyhades"``, ``"rembg"``, ..."""
    file: PublishedFile


def is_offline() -> bool:
    """Whether ``PYHADES_OFFLINE`` forbids to fetch anything."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def locate(name: str) -> Found | None:
    """The file of a model on this machine, or None.

    A file whose checksum is not the published one is passed over with a warning.

    Raises
    ------
    ArgumentError
        No model is called ``name``.
    """
    entry = find_entry(name)
    for file in entry.files:
        for path, owner in places(entry, file):
            if not path.is_file():
                continue
            if is_published(path, file):
                return Found(path, owner, file)
            log.warning(
                "%s is not the published file of %s (another size or checksum); it is passed over. "
                "Pass its path to use it as it is.",
                path, name,
            )  # fmt: skip
    return None


def require(name: str, *, allow_download: bool = False) -> Found:
    """The file of a model, fetched where that is allowed and it is not here.

    Raises
    ------
    ArgumentError
        No model is called ``name``, or it is not here and may not be fetched.
    DownloadError
        It could not be fetched.
    """
    found = locate(name)
    if found is not None:
        return found
    if allow_download:
        return pull(name)
    raise ArgumentError(missing(find_entry(name)))


def missing(entry: Entry) -> str:
    """What to tell the user of a model that is not here."""
    file = _offered(entry)
    if file is None:
        return (
            f"the model {entry.name!r} is known, but nobody offers a file of it ({entry.about}); "
            "pass the path of an ONNX file"
        )
    size = "" if file.size is None else f"{file.size / 1e6:.0f} MB, "
    return (
        f"the model {entry.name!r} is not on this machine; fetch it ({size}licence "
        f"{licence_text(entry)}) with: pyhades models pull {entry.name}"
    )


def licence_text(entry: Entry) -> str:
    """The licence of the weights, with what it means for a business."""
    manifest = entry.manifest
    text = manifest.licence or "unknown"
    if manifest.commercial_use is None:
        return f"{text}, commercial use unclear"
    return text if manifest.commercial_use else f"{text}, not for commercial use"


def pull(
    name: str,
    *,
    force: bool = False,
    progress: Callable[[str, int | None], Progress] = no_progress,
) -> Found:
    """Fetch the file of a model into our folder, unless it is on this machine.

    Parameters
    ----------
    name
        Of the catalogue.
    force
        Fetch it although it is here.
    progress
        Called with the name of the file and its size; see
        :class:`~pyhades.segmentation.store.download.Progress`.

    Returns
    -------
    Found
        The file, compared with its published checksum.

    Raises
    ------
    ArgumentError
        No model is called ``name``, or nobody offers a file of it.
    ConfigurationError
        ``PYHADES_OFFLINE`` is set.
    DownloadError
        It could not be fetched, or what came is not the published file.
    """
    entry = find_entry(name)
    found = None if force else locate(name)
    if found is not None:
        return found
    file = _offered(entry)
    if file is None or file.url is None:
        raise ArgumentError(missing(entry))
    if is_offline():
        raise ConfigurationError(
            f"{OFFLINE_VARIABLE} is set, so {file.url} is not fetched; unset it, or put the file "
            f"there: {cache_folder() / entry.name / file.name}"
        )
    target = cache_folder() / entry.name / file.name
    download(file.url, target, size=file.size, checksum=file.checksum, progress=progress)
    remember(target, file)
    return Found(target, "pyhades", file)


def _offered(entry: Entry) -> PublishedFile | None:
    return next((file for file in entry.files if file.url is not None), None)
