"""Write a trained network as ONNX: ``python -m training.export --out DIR MODEL.onnx``.

BatchNorm is folded into the convolutions, only the moving average of the weights is kept, and the
manifest that the segmentation pipeline reads travels in the file's metadata.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import click
import onnx
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.augment import MEAN, STD
from training.evaluate import MANIFEST_KEY
from training.network import SIDE, MatteNet
from training.train import CHECKPOINT

OPSET = 17


def manifest() -> dict[str, Any]:
    """Describe how to feed the network; the fields of ``segmentation.manifest.ModelManifest``."""
    return {
        "schema": 1,
        "name": "default",
        "input_size": [SIDE, SIDE],
        "policy": "stretch",
        "resample": "bilinear",
        "antialias": True,
        "scale": "1/255",
        "mean": list(MEAN),
        "std": list(STD),
        "channel_order": "rgb",
        "output": 0,
        "activation": "none",
        "range": "clip",
        "upsample": "bilinear",
        "licence": "Apache-2.0",
        "commercial_use": True,
        "source": "pyhades.training",
    }


def fold(module: nn.Module) -> nn.Module:
    """Merge every Conv-BatchNorm pair below `module` (in evaluation mode), in place."""
    for name, child in module.named_children():
        layers = list(child.children())
        pair = isinstance(child, nn.Sequential) and len(layers) == 2
        if pair and isinstance(layers[0], nn.Conv2d) and isinstance(layers[1], nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(layers[0], layers[1]))
        else:
            fold(child)
    return module


def load_average(checkpoint: Path) -> MatteNet:
    """Load the averaged network of a checkpoint, in evaluation mode."""
    network = MatteNet()
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    return network.eval()


def to_onnx(network: MatteNet) -> onnx.ModelProto:
    """Convert a network in evaluation mode; it is left with its BatchNorm folded."""
    fold(network)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            network, (torch.zeros(1, 3, SIDE, SIDE),), path, opset_version=OPSET,
            input_names=["image"], output_names=["alpha"], dynamo=False,
        )  # fmt: skip
        model = onnx.load_model(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = MANIFEST_KEY, json.dumps(manifest())
    model.doc_string = "Demonstration model of pyhades, trained on procedurally composed scenes."
    onnx.checker.check_model(model, full_check=True)
    return model


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder of the training, with its checkpoint.")  # fmt: skip
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
def main(out: Path, model: Path) -> None:
    """Write the network trained in --out to the file MODEL."""
    content = to_onnx(load_average(out / CHECKPOINT)).SerializeToString()
    unfinished = model.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.replace(model)
    click.echo(f"{model}: {len(content) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
