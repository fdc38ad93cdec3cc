"""Which version of which domain a graph or function is written in."""

from __future__ import annotations

from collections.abc import Iterable

from pyhades.errors import ModelError
from pyhades.onnx.translate import DEFAULT, MICROSOFT, NEWEST_OPSET, OLDEST_OPSET
from pyhades.onnx.wire import Record

_UNVERSIONED = {MICROSOFT: 1}
"""Domains that have had one version only, so that a file which does not say it is clear enough."""


def canonical(domain: str | None) -> str:
    """The domain of ONNX by the one of its two names that the registry has."""
    return DEFAULT if domain in (None, "ai.onnx") else str(domain)


class Opsets:
    """Versions by domain.

    Parameters
    ----------
    records
        The opset imports of a model or a function.
    source
        What to call the file in errors.
    around
        Versions of the model, for domains that a function uses and does not import.
    """

    def __init__(
        self, records: Iterable[Record], source: str, around: Opsets | None = None
    ) -> None:
        self._source = source
        self._versions: dict[str, int] = {} if around is None else dict(around._versions)
        for record in records:
            self._versions[canonical(record["domain"])] = int(record["version"] or 0)
        version = self._versions.get(DEFAULT)
        if version is not None and not OLDEST_OPSET <= version <= NEWEST_OPSET:
            raise ModelError(
                f"{source}: opset {version} is outside of {OLDEST_OPSET} to {NEWEST_OPSET}; "
                "convert the model (onnx.version_converter) or export it again"
            )

    def version(self, domain: str) -> int:
        """The version of ``domain``; ModelError where the file does not say it."""
        known = self._versions.get(domain, _UNVERSIONED.get(domain))
        if known is None:
            name = "ONNX opset" if domain == DEFAULT else f"version of domain {domain!r}"
            raise ModelError(f"{self._source}: it does not say which {name} it uses")
        return known
