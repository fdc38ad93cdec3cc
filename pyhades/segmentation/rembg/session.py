"""Sessions by the names that rembg has for models."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import pyhades
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.options import EngineOptions, engine_options
from pyhades.segmentation.catalogue import ENTRIES, Entry, identify
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.matte import upscale
from pyhades.segmentation.network import CompiledNetwork
from pyhades.segmentation.rembg.keywords import OF_REMOVE, refuse_unknown
from pyhades.segmentation.remover import Remover
from pyhades.segmentation.store import places

Mask = NDArray[np.uint8]

DEFAULT_MODEL = "u2net"
"""Of rembg until 2.0.80. What it takes since then, bria-rmbg, may not be used in business."""

CUSTOM = {
    "u2net_custom": "u2net",
    "dis_custom": "isnet-general-use",
    "ben_custom": "ben2",
    "birefnet-general-fp16": "birefnet-general",
}
"""Names that need ``model_path=``, and the model of the catalogue that such a file is like."""

REFUSED = {
    "sam": "it cuts out what a prompt points at, which no session here can",
    "u2net_cloth_seg": "rembg stacks a mask per kind of clothes; "
    "pyhades.Remover('u2net_cloth_seg', foreground=1) gives that of a kind, 1 to 3",
    "withoutbg": "pyhades has no model of that kind",
    "atlascloud": "it sends pictures to a service, and pyhades sends nothing anywhere",
}  # fmt: skip
"""Models of rembg that are not had here, and why."""

UNCHECKED = "MODEL_CHECKSUM_DISABLED"
"""The environment variable by which rembg takes files whatever their checksum."""


class Session:
    """A model as rembg's functions hold it; made by :func:`new_session`.

    Parameters
    ----------
    model_name
        What rembg calls the model.
    remover
        What computes; the session closes it.
    """

    def __init__(self, model_name: str, remover: Remover) -> None:
        self.model_name = model_name
        self._remover = remover

    @property
    def made_at(self) -> int:
        """Longer side, in pixels, at which the network sees a picture."""
        return max(self._remover.manifest.input_size)

    def predict(self, img: Image.Image) -> list[Image.Image]:
        """The masks of a picture, mode L, of its size; a list of one, as rembg has it."""
        return [Image.fromarray(self.mask(load_image(img)))]

    def mask(self, image: LoadedImage) -> Mask:
        """The mask of a picture; uint8 ``[height, width]``.

        Like rembg it looks at the colours of transparent pixels, too, and stretches what the
        network says to 0..255 even where that is almost flat.
        """
        remover = self._remover
        plane = remover.predict(replace(image, alpha=None))
        if remover.manifest.range == "minmax":
            low, high = float(plane.min()), float(plane.max())
            if high > low:
                plane = (plane - np.float32(low)) / np.float32(high - low)
        return upscale(
            plane, image.size, remover.manifest, threads=remover.threads, isa=remover.isa
        )

    def close(self) -> None:
        """Give back the network's memory."""
        self._remover.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Session({self.model_name!r}, {self._remover!r})"


def new_session(
    model_name: str = DEFAULT_MODEL,
    providers: Sequence[Any] | None = None,
    *,
    sess_opts: Any = None,
    model_path: str | os.PathLike[str] | None = None,
    download: bool = False,
    options: EngineOptions | None = None,
    **others: Any,
) -> Session:
    """A session for :func:`remove`, as rembg's function of that name makes one.

    Parameters
    ----------
    model_name
        A name of rembg's or of ``pyhades models list``, or the path of an ONNX file.
    providers
        Of ONNX Runtime. All is computed on the CPU here; a warning says so where others are named.
    sess_opts
        Options of ONNX Runtime: ``intra_op_num_threads`` is followed, nothing else has a meaning.
    model_path
        A file to be taken for ``model_name``; it may lie anywhere. Names such as ``"u2net_custom"``
        need one.
    download
        Whether the model may be fetched where it is not on this machine.
    options
        See :class:`pyhades.EngineOptions`; its threads win over those of ``sess_opts``.
    **others
        Keywords of :func:`remove` are passed over with a warning, as rembg's command line hands
        them to both.

    Returns
    -------
    Session
        Close it, or use it in a ``with`` statement, to give back its memory at once.

    Raises
    ------
    ArgumentError
        There is no such model, or it is not on this machine.
    ArgumentTypeError
        A keyword has no meaning.
    ModelError
        The file is not a model that takes an image.

    Examples
    --------
    >>> session = new_session("isnet-general-use", download=True)      # doctest: +SKIP
    >>> cutout = remove(photo, session=session)                        # doctest: +SKIP
    """
    refuse_unknown("new_session", others, OF_REMOVE, "are for remove()")
    _warn_of_accelerators(providers)
    threads = getattr(sess_opts, "intra_op_num_threads", 0) or None
    chosen = engine_options(options)
    if chosen.threads is None:
        chosen = chosen.changed(threads=threads)
    if model_name in REFUSED:
        raise ArgumentError(f"model_name={model_name!r}: {REFUSED[model_name]}")
    file = _file_of(model_name, model_path)
    if file is not None:
        entry = ENTRIES[CUSTOM.get(model_name, model_name)]
        return Session(model_name, _remover_as(entry, file, chosen))
    remover = Remover(model_name, profile="rembg", download=download, options=chosen)
    return Session(model_name, remover)


def _file_of(name: str, path: str | os.PathLike[str] | None) -> Path | None:
    """The file to be taken for the model called ``name``; None where pyhades is to find it."""
    if path is not None:
        if CUSTOM.get(name, name) not in ENTRIES:
            raise ArgumentError(
                f"model_name={name!r} is no model that model_path={os.fspath(path)!r} could be "
                f"like; choose one of {', '.join([*ENTRIES, *CUSTOM])}"
            )
        return Path(path).expanduser()
    if name in CUSTOM:
        raise ArgumentError(f"model_name={name!r} needs model_path=, the path of its ONNX file")
    if name in ENTRIES and os.environ.get(UNCHECKED) is not None:
        entry = ENTRIES[name]
        files = (place for file in entry.files for place, _ in places(entry, file))
        return next((file for file in files if file.is_file()), None)
    return None


def _remover_as(entry: Entry, file: Path, options: EngineOptions) -> Remover:
    """A remover for a file that is taken for a model of the catalogue, whatever its checksum."""
    if not file.is_file():
        raise ArgumentError(f"model_path={os.fspath(file)!r}: there is no such file")
    if options.precision not in (None, "fp32"):
        raise ArgumentError(
            f"precision={options.precision!r}: a file that is taken for {entry.name} runs as it "
            "is; quantise it with 'pyhades quantize' and give that file"
        )
    options = EngineOptions(threads=options.threads, isa=options.isa)
    graph = pyhades.load_onnx(file)
    found = identify(graph, file, entry=entry, profile="rembg")
    network = CompiledNetwork(graph, found.manifest.output, plan=found.inputs, options=options)
    return Remover.from_network(network, found.manifest, options=options)


def _warn_of_accelerators(providers: Iterable[Any] | None) -> None:
    if isinstance(providers, str):
        raise ArgumentTypeError(f"providers={providers!r}: expected a list of names")
    names = [name if isinstance(name, str) else str(name[0]) for name in providers or ()]
    elsewhere = [name for name in names if name != "CPUExecutionProvider"]
    if elsewhere:
        warnings.warn(
            f"providers={names}: pyhades computes on the CPU; {', '.join(elsewhere)} is not used",
            RuntimeWarning,
            stacklevel=3,
        )
