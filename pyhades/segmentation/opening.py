"""From the model that a caller names to a network on the engine that is meant."""

from __future__ import annotations

import difflib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyhades
from pyhades.engines import Engine, Model, Pyhades
from pyhades.engines.network import EngineNetwork
from pyhades.errors import ArgumentError, ConfigurationError, UnsupportedOperatorError
from pyhades.ir.graph import Graph
from pyhades.onnx.importer import load_foreign
from pyhades.onnx.source import ModelSource, expanded, model_bytes
from pyhades.options import EngineOptions
from pyhades.passes import is_quantised
from pyhades.segmentation.catalogue import ENTRIES, Entry, Identification, Profile, identify
from pyhades.segmentation.image.reading import ImageLike
from pyhades.segmentation.modelfile import ModelFile
from pyhades.segmentation.store import require

DEFAULT_MODEL = Path(__file__).parent / "data" / "default.onnx"

ModelLike = ModelSource


@dataclass(frozen=True)
class Quantising:
    """What only our own engine does with a model before it runs."""

    calibration: str | os.PathLike[str] | Sequence[ImageLike] | None = None
    budget: str | None = None
    tune: bool = False

    def refuse(self, engine: Engine) -> None:
        """ArgumentError where another engine is to do it."""
        for name, value in vars(self).items():
            if value not in (None, False):
                raise ArgumentError(f"{name} is for our own engine; {engine.label} has no such")


@dataclass(frozen=True)
class Opened:
    """A model that runs.

    Attributes
    ----------
    network
        On its engine.
    model
        What the engine was given.
    found
        Its manifest, and how it is fed.
    precision, why
        What it computes in, and how it came to that.
    """

    network: EngineNetwork
    model: Model
    found: Identification
    precision: str
    why: str


def open_model(
    source: Path | bytes,
    entry: Entry | None,
    engine: Engine,
    options: EngineOptions,
    quantising: Quantising,
    origin: ModelFile,
    profile: Profile,
    **manifest: Any,
) -> Opened:
    """Read a model, find its manifest, and make its network.

    Raises
    ------
    UnsupportedOperatorError
        Our engine lacks an operator; the message says which engine may have it.
    ModelError
        The file is no model that takes a picture, or the engine cannot run it.
    """
    path = None if isinstance(source, bytes) else source

    def found_in(graph: Graph) -> Identification:
        return identify(graph, path, entry=entry, profile=profile, **manifest)

    if not isinstance(engine, Pyhades):
        quantising.refuse(engine)
        with nullcontext() if engine.takes_foreign else naming_onnxruntime():
            graph = load_foreign(source) if engine.takes_foreign else pyhades.load_onnx(source)
            found = found_in(graph)
            precision = own_precision(graph, options, engine)
            model = _model(source, graph, found, options, quantising, origin)
            network = engine.network(model)
        return Opened(network, model, found, precision, f"the file's own, on {engine.label}")
    # Quantising runs removers itself.
    from pyhades.segmentation.quantize.automatic import in_precision

    with naming_onnxruntime():
        graph = pyhades.load_onnx(source)
        found = found_in(graph)
        picked = in_precision(graph, found, options, quantising.calibration, quantising.budget)
        model = _model(source, picked.graph, found, picked.options(options), quantising, origin)
        return Opened(engine.network(model), model, found, picked.precision, picked.why)


def _model(
    source: Path | bytes, graph: Graph, found: Identification, options: EngineOptions,
    quantising: Quantising, origin: ModelFile,
) -> Model:  # fmt: skip
    assert found.inputs is not None
    manifest = found.manifest
    return Model(
        source, graph, manifest.output, found.inputs, manifest.input_size, options,
        quantising.tune, origin.check_intact, origin.check_same,
    )  # fmt: skip


def own_precision(graph: Graph, options: EngineOptions, engine: Engine) -> str:
    """The precision of a file, which is the only one that other engines have.

    Raises
    ------
    ArgumentError
        Another one was asked for.
    """
    own = "int8" if is_quantised(graph) else "fp32"
    if options.precision not in (None, own):
        raise ArgumentError(
            f"precision={options.precision!r}: {engine.label} runs the file as it is, in {own}; "
            "leave it out, quantise the file first (pyhades.quantize), or take our own engine"
        )
    return own


@contextmanager
def naming_onnxruntime() -> Iterator[None]:
    """Says which engine may have an operator that ours lacks; it is never taken unasked."""
    try:
        yield
    except UnsupportedOperatorError as error:
        there = importlib.util.find_spec("onnxruntime") is not None
        first = "" if there else ' after pip install "pyhades[onnxruntime]"'
        raise UnsupportedOperatorError(
            f'{error}; engine="onnxruntime" (--engine onnxruntime){first} may run it'
        ) from error


def check_model(model: ModelLike | None, download: bool) -> tuple[Path | bytes, Entry | None]:
    """The file or the bytes of a model, and its entry where it is given by name."""
    if model is not None and not isinstance(model, str | os.PathLike):
        return bytes(model_bytes(model)), None
    path = DEFAULT_MODEL if model is None else expanded(model)
    if not path.is_file() and isinstance(model, str):
        if model in ENTRIES:
            return require(model, allow_download=download).path, ENTRIES[model]
        if not path.suffix and len(path.parts) == 1 and not path.exists():
            near = difflib.get_close_matches(model, ENTRIES, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else "see 'pyhades models list'"
            raise ArgumentError(
                f"model={model!r}: there is no such file, and no model of that name; {hint}"
            )
    if path.is_dir():
        return path, None  # the importer knows folders of several kinds by their names
    if not path.is_file():
        if model is None:
            raise ConfigurationError(
                f"the model that ships with pyhades is missing ({path}); reinstall the package or "
                "pass model= the path of an ONNX file"
            )
        raise ArgumentError(f"model={os.fspath(path)!r}: there is no such file")
    return path.absolute(), None
