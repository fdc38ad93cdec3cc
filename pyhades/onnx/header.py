"""What a model file says of itself, beside its graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyhades.onnx.external import map_file
from pyhades.onnx.schema import MODEL
from pyhades.onnx.wire import WireReader


@dataclass(frozen=True)
class Header:
    """Who wrote a model, and in which version of the format."""

    producer: str
    """Name and version of the program; empty where the file does not say."""
    ir_version: int
    opsets: dict[str, int]
    """Version per domain; ``""`` is the standard one."""

    @property
    def opset(self) -> str:
        """All of them in words."""
        return ", ".join(f"{domain or 'ai.onnx'} {v}" for domain, v in self.opsets.items())


def read_header(model: Path | bytes) -> Header:
    """Read the header of an ONNX model; ModelError as for reading the graph."""
    buffer = memoryview(model) if isinstance(model, bytes) else map_file(model)
    record = WireReader(buffer, "<bytes>" if isinstance(model, bytes) else str(model)).read(MODEL)
    who = [record["producer_name"] or "", record["producer_version"] or ""]
    return Header(
        " ".join(filter(None, who)),
        int(record["ir_version"] or 0),
        {o["domain"] or "": int(o["version"] or 0) for o in record["opsets"]},
    )
