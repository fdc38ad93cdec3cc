"""From a graph and its file to a manifest, and how we came by it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyhades.errors import ModelError
from pyhades.ir.graph import Graph, Value
from pyhades.segmentation.catalogue import published
from pyhades.segmentation.catalogue.entry import Entry, Profile
from pyhades.segmentation.catalogue.signature import recognise
from pyhades.segmentation.manifest import ModelManifest, find_manifest
from pyhades.segmentation.matte import check_classes
from pyhades.segmentation.meaning import InputPlan, Meaning, plan_inputs, understand
from pyhades.segmentation.meaning.preparation import read_preparation

log = logging.getLogger(__name__)

GUESSED_SIDE = 1024
"""Side in pixels for an unknown graph whose height and width are dynamic."""
GUESSED_VIDEO_SIDE = 512
"""Short side of frames for an unknown recurrent graph."""


@dataclass(frozen=True)
class Identification:
    """A manifest and how we came by it."""

    manifest: ModelManifest
    basis: str
    is_guess: bool = False
    reasons: tuple[str, ...] = ()
    """What a guess follows from."""
    inputs: InputPlan | None = None
    """How the graph is fed; None for a network that is not a graph."""
    meaning: Meaning | None = None
    """What a guess found in the outputs."""


def identify(
    graph: Graph,
    path: Path | None = None,
    *,
    entry: Entry | None = None,
    profile: Profile = "reference",
    **overrides: Any,
) -> Identification:
    """Find the manifest of ``graph``, read from ``path``.

    Looked at in this order: a manifest of the file's own, the entry that the caller names, the
    file's checksum, the signature of the graph; if all fail, a guess that follows the graph, which
    is logged. ``overrides`` replace single fields.
    """
    where = str(path or graph.source or graph.name)
    found = (
        _from_own_manifest(graph, path)
        or _from_entry(entry, profile)
        or _from_checksum(path, profile)
    )
    told = overrides if found is None else vars(found.manifest.replace(**overrides))
    plan = plan_inputs(
        graph, picture=told.get("input"), states=dict(told.get("states") or ()),
        constants=dict(told.get("constants") or ()),
    )  # fmt: skip
    if found is None:
        found = _from_graph(graph, path, plan, profile, overrides)
    manifest = found.manifest
    basis = found.basis
    if overrides:
        manifest = manifest.replace(**overrides)
        basis = f"{basis}; set by the caller: {', '.join(overrides)}"
    found = Identification(manifest, basis, found.is_guess, found.reasons, plan, found.meaning)
    if found.is_guess:
        _log_guess(found, where)
    _check_against(graph, plan, manifest, where)
    return found


def _log_guess(found: Identification, where: str) -> None:
    manifest = found.manifest
    log.warning(
        "%s is not a model that pyhades knows. Guessed from its graph: input_size=%s, policy=%s, "
        "mean=%s, std=%s, output=%r, activation=%s, foreground=%s, range=%s, since\n  - %s\n"
        "Override these with arguments or a manifest file; 'pyhades inspect' tells more.",
        where, manifest.input_size, manifest.policy, manifest.mean, manifest.std, manifest.output,
        manifest.activation, foreground_text(manifest), manifest.range,
        "\n  - ".join(found.reasons),
    )  # fmt: skip


def foreground_text(manifest: ModelManifest) -> str:
    """Which channels or classes are foreground, in words."""
    if manifest.background is not None:
        return f"all but {manifest.background}"
    return str(manifest.foreground)


def _from_own_manifest(graph: Graph, path: Path | None) -> Identification | None:
    found = find_manifest(path, graph.metadata)
    return None if found is None else Identification(found[0], f"manifest in {found[1]}")


def _from_entry(entry: Entry | None, profile: Profile) -> Identification | None:
    if entry is None:
        return None
    return Identification(entry.profile(profile), _basis(entry, profile, "by name"))


def _from_checksum(path: Path | None, profile: Profile) -> Identification | None:
    if path is None or not path.is_file():
        return None
    for entry in published.ENTRIES.values():
        for file in entry.files:
            if file.may_be(path) and file.is_in(path):
                assert file.checksum is not None
                basis = _basis(entry, profile, f"by {file.checksum[0]}")
                return Identification(entry.profile(profile), basis)
    return None


def _basis(entry: Entry, profile: Profile, how: str) -> str:
    extra = "" if profile == "reference" else f", profile {profile}"
    return f"built-in entry {entry.name}, {how}{extra}"


def _from_graph(
    graph: Graph, path: Path | None, plan: InputPlan, profile: Profile, overrides: dict[str, Any]
) -> Identification:
    is_video = bool(plan.states) and None in plan.side
    otherwise = GUESSED_VIDEO_SIDE if is_video else GUESSED_SIDE
    size = ModelManifest("", overrides.get("input_size", 1)).input_size
    if "input_size" not in overrides:
        size = (plan.side[0] or otherwise, plan.side[1] or otherwise)
    where = str(path or graph.source or graph.name)
    _check_size(plan, size, where)
    asked = overrides.get("output")
    names = [value.name for value in graph.outputs]
    _check_output(asked, names, where)
    meaning = understand(graph, plan, size, asked)
    chosen = meaning.require(where)
    name = None if asked is not None else recognise(graph, plan, meaning)
    if name is not None:
        entry = published.ENTRIES[name]
        basis = _basis(entry, profile, "by the signature of its graph")
        index = names.index(chosen.name)
        manifest = entry.profile(profile).replace(output=index, licence=None, commercial_use=None)
        return Identification(manifest, basis, reasons=meaning.reasons, meaning=meaning)
    preparation = read_preparation(graph, plan)
    policy: dict[str, Any] = {"policy": "short-side", "multiple_of": 16} if is_video else {}
    fields = {**policy, **preparation.fields, **chosen.fields}
    manifest = ModelManifest(
        path.stem if path else "unknown model",
        size,
        output=names.index(chosen.name),
        **fields,
    )
    reasons = (*plan.reasons, *preparation.reasons, *meaning.reasons)
    return Identification(manifest, "guessed from the graph", True, reasons, plan, meaning)


def _check_output(output: int | str | None, names: list[str], where: str) -> None:
    if isinstance(output, str) and output not in names:
        raise ModelError(f"{where}: no output {output!r}; there are {names}")
    if isinstance(output, int) and not 0 <= output < len(names):
        raise ModelError(f"{where}: output {output} does not exist; there are {len(names)}")


def _check_against(graph: Graph, plan: InputPlan, manifest: ModelManifest, where: str) -> None:
    _check_size(plan, manifest.input_size, where)
    if manifest.policy == "short-side" and None not in plan.side:
        raise ModelError(
            f"{where}: policy 'short-side' needs a graph with dynamic height and width, "
            f"this one takes {plan.side}"
        )
    names = [value.name for value in graph.outputs]
    _check_output(manifest.output, names, where)
    index = manifest.output if isinstance(manifest.output, int) else names.index(manifest.output)
    channels = _channels(graph.outputs[index], manifest)
    if channels is not None and manifest.activation != "labels":
        check_classes(manifest, channels)


def _channels(output: Value, manifest: ModelManifest) -> int | None:
    """How many planes an output has, as far as its file says; else the first picture will tell."""
    shape = None if output.type is None else output.type.shape
    if shape is None or len(shape) != 4:
        return None
    extent = shape[1 if manifest.output_layout == "nchw" else 3]
    return extent if isinstance(extent, int) else None


def _check_size(plan: InputPlan, size: tuple[int, int], where: str) -> None:
    for axis, wanted, actual in zip(("height", "width"), size, plan.side, strict=True):
        if actual is not None and actual != wanted:
            raise ModelError(
                f"{where}: the manifest asks for an input {axis} of {wanted}, "
                f"the graph has {actual}; pass input_size={plan.side}"
            )
