"""What quantising gave: the network, what stayed in float, and how good the masks are."""

from __future__ import annotations

import dataclasses
import html
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyhades
from pyhades.errors import ConfigurationError
from pyhades.ir.graph import Graph
from pyhades.onnx.quantised import quantised_chunks
from pyhades.options import EngineOptions
from pyhades.segmentation.catalogue import Identification
from pyhades.segmentation.manifest import METADATA_KEY, ModelManifest
from pyhades.segmentation.network import CompiledNetwork
from pyhades.segmentation.quantize.files import write_whole
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.scores import Budget, Score, bound_of, mean_of
from pyhades.segmentation.remover import Remover
from pyhades.tables import as_html, as_table

RECORD_KEY = "pyhades.quantized"
"""In the metadata of a file: recipe, calibration, layers in float, scores."""


@dataclass(frozen=True)
class Layer:
    """A product of the network.

    Attributes
    ----------
    name, op, shape
        Of its result, its operator and its weights.
    precision
        ``"int8"`` or ``"float"``.
    reason
        Why it stayed in float.
    error
        The share of the budget that it needs where it alone is quantised, on the pictures that lose
        the most; None where not measured.
    work
        Operations for a picture.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    precision: str
    reason: str = ""
    error: float | None = None
    work: float = 0.0


@dataclass(frozen=True)
class Quantized:
    """A quantised network; made by :func:`pyhades.quantize`.

    Attributes
    ----------
    graph
        The network, with grids on its edges; :func:`pyhades.compile` takes it.
    manifest
        What the network wants and means: that of the float model.
    recipe, budget
        How it was quantised, and what was allowed.
    layers
        Its products.
    scores
        Of the pictures that were held out.
    calibration
        Digest of the pictures, and how many ranges were found on.
    """

    graph: Graph
    manifest: ModelManifest
    recipe: Recipe
    budget: Budget
    layers: tuple[Layer, ...]
    scores: tuple[Score, ...]
    calibration: tuple[str, int]
    found: Identification = dataclasses.field(repr=False, compare=False)

    @property
    def holds(self) -> bool:
        """Whether the scores stay within the budget."""
        return self.budget.holds(self.scores)

    @property
    def share(self) -> float:
        """Of the operations of all products, those of products in int8."""
        whole = sum(layer.work for layer in self.layers)
        small = sum(layer.work for layer in self.layers if layer.precision == "int8")
        return small / whole if whole else 0.0

    @property
    def mean(self) -> dict[str, float]:
        """Of each measure, over the pictures that were held out."""
        return mean_of(self.scores)

    @property
    def bound(self) -> dict[str, float]:
        """What the mean over many other pictures of the kind is hardly worse than.

        That is what the budget is compared with; of one picture, what was measured.
        """
        return bound_of(self.scores)

    def remover(self, options: EngineOptions | None = None, **arguments: Any) -> Remover:
        """A remover that runs the network; ``arguments`` as of ``Remover.from_network``."""
        network = CompiledNetwork(
            self.graph, self.manifest.output, plan=self.found.inputs, options=options
        )
        return Remover.from_network(network, self.manifest, options=options, **arguments)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an ONNX file with QuantizeLinear and DequantizeLinear, and all of this in it.

        Raises
        ------
        ArgumentError
            The network has an operator that ONNX itself does not have.
        ConfigurationError
            The file cannot be written.
        """
        target = Path(path).expanduser()
        write_whole(target, quantised_chunks(self.graph, metadata=self.metadata()))
        return target

    def metadata(self) -> dict[str, str]:
        """What a file of the network says of it."""
        kept = {k: v for k, v in self.graph.metadata.items() if k != METADATA_KEY}
        record = {key: value for key, value in self.to_dict().items() if key != "layers"}
        record["float"] = [layer.name for layer in self.layers if layer.precision == "float"]
        return {**kept, METADATA_KEY: self.manifest.to_json(), RECORD_KEY: json.dumps(record)}

    def to_dict(self) -> dict[str, Any]:
        """Everything but the network, as JSON takes it."""
        return {
            "pyhades": pyhades.__version__,
            "recipe": json.loads(self.recipe.to_json()),
            "budget": str(self.budget),
            "holds": self.holds,
            "share": self.share,
            "calibration": {"sha256": self.calibration[0], "pictures": self.calibration[1]},
            "mean": self.mean,
            "bound": self.bound,
            "scores": [dataclasses.asdict(score) for score in self.scores],
            "layers": [dataclasses.asdict(layer) for layer in self.layers],
        }

    def plot(self, axes: Any = None) -> Any:
        """Draw the errors of the pictures that were held out, the worst to the right.

        Parameters
        ----------
        axes
            Of matplotlib, to draw into; by default of a new figure.

        Raises
        ------
        ConfigurationError
            matplotlib is not installed.
        """
        if axes is None:
            try:
                from matplotlib.figure import Figure
            except ImportError:
                raise ConfigurationError("plot needs matplotlib: pip install matplotlib") from None
            axes = Figure(figsize=(6, 3), layout="constrained").subplots()
        worst = sorted(self.scores, key=lambda score: score.mae)
        axes.bar(range(len(worst)), [score.mae for score in worst], label="mask")
        axes.plot([score.band for score in worst], "k.", label="along boundaries")
        axes.set(xlabel="pictures held out", ylabel="mean absolute error", title=self._verdict())
        axes.legend()
        return axes

    def _rows(self) -> list[list[str]]:
        rows = [["layer", "operator", "weights", "precision", "of the budget", "why"]]
        for layer in self.layers:
            shape = "x".join(map(str, layer.shape))
            error = "" if layer.error is None else f"{layer.error:.1%}"
            rows.append([layer.name, layer.op, shape, layer.precision, error, layer.reason])
        return rows

    def _picture_rows(self) -> list[list[str]]:
        rows = [["picture held out", "MAE", "soft IoU", "band"]]
        for score in sorted(self.scores, key=lambda score: -score.mae):
            rows.append([score.picture, *(f"{v:.4f}" for v in (score.mae, score.iou, score.band))])
        return rows

    def _verdict(self) -> str:
        whole = sum(layer.precision == "int8" for layer in self.layers)
        mean, bound = self.mean, self.bound
        word = "within" if self.holds else "NOT within"
        many = len(self.scores)
        return (
            f"{whole} of {len(self.layers)} products in int8, {self.share:.0%} of the work; MAE "
            f"{mean['mae']:.5f}, soft IoU {mean['iou']:.4f} over {many} picture{'s' * (many != 1)} "
            f"held out, hardly worse than {bound['mae']:.5f} and {bound['iou']:.4f} over others: "
            f"{word} {self.budget}"
        )

    def __str__(self) -> str:
        kept = [row for row in self._rows() if row[3] != "int8"]
        tables = [as_table(rows, range(1, 4)) for rows in (self._picture_rows()[:11],)]
        return "\n\n".join([as_table(kept), *tables, self._verdict()])

    def __repr__(self) -> str:
        return f"<Quantized {self.manifest.name}: {self._verdict()}>"

    def _repr_html_(self) -> str:
        tables = as_html(self._picture_rows()) + as_html(self._rows())
        return f"<p>{html.escape(self._verdict())}</p>{tables}"
