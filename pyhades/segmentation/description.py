"""What a remover says of itself, in a line and in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhades.segmentation.catalogue.identify import foreground_text
from pyhades.segmentation.manifest import ModelManifest
from pyhades.tables import as_facts

if TYPE_CHECKING:
    from pyhades.segmentation.remover import Remover


def facts_of(remover: Remover, label: str, basis: str) -> dict[str, str]:
    """What will happen to pictures.

    Parameters
    ----------
    remover
        Whose facts.
    label
        Of its model.
    basis
        Where its manifest is from.
    """
    manifest = remover.manifest
    height, width = manifest.input_size
    return {
        "model": label,
        "manifest": f"{manifest.name}, {basis}",
        "input": f"{width} x {height}, {manifest.policy}, {manifest.resample}, {manifest.scale}",
        "output": f"{manifest.output!r}, {manifest.activation}, "
        f"foreground {foreground_text(manifest)}, range {manifest.range}",
        "licence": _licence(manifest),
        "engine": remover.engine_label if remover.engine is None else repr(remover.engine),
        "threads": str(remover.threads),
        "isa": remover.isa,
        "precision": remover.precision,
    }


def _licence(manifest: ModelManifest) -> str:
    licence = manifest.licence or "licence unknown"
    return licence + ", not for commercial use" * (manifest.commercial_use is False)


def in_a_line(facts: dict[str, str]) -> str:
    """Names and values, as arguments are written."""
    return ", ".join(f"{key}={value!r}" for key, value in facts.items())


def in_a_notebook(facts: dict[str, str]) -> str:
    """A table with a row each."""
    return as_facts("pyhades.Remover", facts)
