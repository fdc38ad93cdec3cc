"""Export the networks again: ``python -m tests.architectures.export [FOLDER] [NAME...]``.

Weights are random, then taken out. What is needed is in the README beside this file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from tests.architectures.matting import MODNet, MVANet
from tests.architectures.salient import ISNet
from tests.architectures.weights import write

GRAPHS = Path(__file__).parent / "graphs"


@dataclass(frozen=True)
class Export:
    """A network with example inputs, and how it is written."""

    network: nn.Module
    inputs: Mapping[str, torch.Tensor]
    outputs: Sequence[str]
    opset: int = 17
    dynamo: bool = False
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


EXPORTS: dict[str, Callable[[], Export]] = {}


def export(make: Callable[[], Export]) -> Callable[[], Export]:
    """Decorator: the function makes the network of its name."""
    EXPORTS[make.__name__] = make
    return make


class Outputs(nn.Module):
    """A network of transformers as a function from tensors to the named fields of its result."""

    def __init__(
        self, network: nn.Module, inputs: Sequence[str], *names: str, **fixed: Any
    ) -> None:
        super().__init__()
        self.network, self.inputs, self.names, self.fixed = network, inputs, names, fixed

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        named = dict(zip(self.inputs, tensors, strict=True))
        result = self.network(**named, **self.fixed)
        return tuple(result[name] for name in self.names)


def picture(size: int, channels: int = 3) -> torch.Tensor:
    """A random picture."""
    return torch.randn(1, channels, size, size)


@export
def isnet() -> Export:
    """Six maps, all after a sigmoid; old exporter, Resize by computed sizes."""
    return Export(ISNet(), {"input": picture(192)}, [f"d{n}" for n in range(1, 7)], opset=11)


@export
def modnet() -> Export:
    """Dynamic batch and extents, as published."""
    axes = {0: "batch", 2: "height", 3: "width"}
    return Export(MODNet(), {"input": picture(192)}, ["output"], 11, dynamic={"input": axes})


@export
def mvanet() -> Export:
    """Five views in one batch, attention between them."""
    return Export(MVANet(), {"image": picture(192)}, ["matte"], 20, dynamo=True)


def deform_conv(graph: Any, x: Any, w: Any, offset: Any, mask: Any, bias: Any, *rest: Any) -> Any:
    """DeformConv of opset 19, which the exporter does not write by itself."""
    numbers = [int(torch.onnx.symbolic_helper._maybe_get_const(value, "i")) for value in rest]
    stride, padding, dilation = numbers[0:2], numbers[2:4], numbers[4:6]
    groups, offset_groups, use_mask = numbers[6:]
    attributes = {
        "strides_i": stride,
        "pads_i": [*padding, *padding],
        "dilations_i": dilation,
        "group_i": groups,
        "offset_group_i": offset_groups,
        "kernel_shape_i": w.type().sizes()[2:],
    }
    operands = [x, w, offset, bias, mask] if use_mask else [x, w, offset, bias]
    return graph.op("DeformConv", *operands, **attributes).setType(x.type().with_sizes([None] * 4))


def birefnet(**settings: Any) -> nn.Module:
    """Logits of the finest scale."""
    torch.onnx.register_custom_op_symbolic("torchvision::deform_conv2d", deform_conv, 19)
    from nobg.birefnet.modeling_birefnet import BiRefNet, BiRefNetConfig

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = BiRefNet(BiRefNetConfig(image_size=192, **settings))

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.network(image)["logits"]

    return Logits()


@export
def birefnet_lite() -> Export:
    """Swin-T, deformable convolutions."""
    settings = {"embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24]}
    network = birefnet(window_size=7, **settings)
    return Export(network, {"input_image": picture(192)}, ["output_image"], 19)


@export
def birefnet_swin() -> Export:
    """Windows of 12, as in the large one; fewer blocks."""
    settings = {"embed_dim": 64, "depths": [2, 2, 4, 2], "num_heads": [2, 4, 8, 16]}
    network = birefnet(window_size=12, **settings)
    return Export(network, {"input_image": picture(256)}, ["output_image"], 19)


class ByRatio(torch.autograd.Function):
    """Interpolation by a ratio that is an input, as in the published Robust Video Matting."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(x, scale_factor=float(ratio), mode="bilinear")

    @staticmethod
    def symbolic(graph: Any, x: Any, ratio: Any) -> Any:
        ones = graph.op("Constant", value_t=torch.ones(2))
        scales = graph.op("Concat", ones, ratio, ratio, axis_i=0)
        empty = graph.op("Constant", value_t=torch.empty(0))
        mode = {"mode_s": "linear", "coordinate_transformation_mode_s": "pytorch_half_pixel"}
        return graph.op("Resize", x, empty, scales, **mode).setType(x.type().with_sizes([None] * 4))


@export
def rvm_mobilenetv3() -> Export:
    """A frame, four recurrent states, a ratio; foreground, alpha and the next states."""
    from bgr_removal.model.decoder import ConvGRU
    from bgr_removal.model.model import MattingNetwork

    # The first state is one number, which the published file broadcasts.
    step = ConvGRU.forward_single_frame
    ConvGRU.forward_single_frame = lambda gru, x, h: step(gru, x, h.expand_as(x))

    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = MattingNetwork("mobilenetv3")

        def forward(self, src: torch.Tensor, *rest: torch.Tensor) -> Any:
            *state, ratio = rest
            self.network._interpolate = lambda x, scale_factor: ByRatio.apply(x, ratio)
            return self.network(src, *state, downsample_ratio=0.5)

    names = ["src", "r1i", "r2i", "r3i", "r4i"]
    inputs = {name: torch.zeros(1, 1, 1, 1) for name in names}
    inputs["src"] = torch.rand(1, 3, 192, 256)
    inputs["downsample_ratio"] = torch.tensor([0.5])
    sizes = {0: "batch", 2: "height", 3: "width"}
    dynamic = {"src": sizes}
    for index, name in enumerate(names[1:]):
        dynamic[name] = {axis: f"r{index + 1}_{axis}" for axis in range(4)}
    outputs = ["fgr", "pha", "r1o", "r2o", "r3o", "r4o"]
    return Export(Frames(), inputs, outputs, 12, dynamic=dynamic)


@export
def vitmatte_small() -> Export:
    """Picture and trimap as four channels."""
    from transformers import VitDetConfig, VitMatteConfig, VitMatteForImageMatting

    backbone = VitDetConfig(
        hidden_size=96,
        num_hidden_layers=3,
        num_attention_heads=3,
        image_size=128,
        pretrain_image_size=112,
        num_channels=4,
        window_size=4,
        window_block_indices=[0, 1],
        residual_block_indices=[2],
        use_relative_position_embeddings=True,
        out_features=["stage3"],
    )
    config = VitMatteConfig(
        backbone_config=backbone,
        hidden_size=96,
        convstream_hidden_sizes=[16, 32, 64],
        fusion_hidden_sizes=[64, 32, 16, 8],
    )
    network = Outputs(VitMatteForImageMatting(config), ["pixel_values"], "alphas")
    return Export(network, {"pixel_values": picture(128, 4)}, ["alphas"])


@export
def mask2former() -> Export:
    """Queries, deformable attention by GridSample."""
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    backbone = SwinConfig(
        image_size=128,
        embed_dim=32,
        depths=[1, 1, 2, 1],
        num_heads=[1, 2, 4, 8],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=64,
        mask_feature_size=64,
        hidden_dim=64,
        encoder_feedforward_dim=128,
        encoder_layers=2,
        decoder_layers=3,
        num_attention_heads=4,
        dim_feedforward=128,
        num_queries=20,
        num_labels=12,
    )
    names = ["class_queries_logits", "masks_queries_logits"]
    network = Outputs(Mask2FormerForUniversalSegmentation(config), ["pixel_values"], *names)
    return Export(network, {"pixel_values": picture(128)}, names, 18, dynamo=True)


@export
def dpt() -> Export:
    """A plain transformer with a convolutional decoder."""
    from transformers import DPTConfig, DPTForSemanticSegmentation

    config = DPTConfig(
        hidden_size=96,
        num_hidden_layers=4,
        num_attention_heads=3,
        intermediate_size=192,
        image_size=128,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[32, 48, 64, 96],
        fusion_hidden_size=64,
        num_labels=5,
    )
    network = Outputs(DPTForSemanticSegmentation(config), ["pixel_values"], "logits")
    return Export(network, {"pixel_values": picture(128)}, ["logits"], 18, dynamo=True)


@export
def mobilevit() -> Export:
    """MobileViT with DeepLab's head."""
    from transformers import MobileViTConfig, MobileViTForSemanticSegmentation

    config = MobileViTConfig(image_size=256, num_labels=21)
    network = Outputs(MobileViTForSemanticSegmentation(config), ["pixel_values"], "logits")
    return Export(network, {"pixel_values": picture(192)}, ["logits"])


@export
def segformer() -> Export:
    """SegFormer-B0."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(num_labels=18)
    network = Outputs(SegformerForSemanticSegmentation(config), ["pixel_values"], "logits")
    axes = {0: "batch", 2: "height", 3: "width"}
    return Export(
        network, {"pixel_values": picture(256)}, ["logits"], dynamic={"pixel_values": axes}
    )


def sam() -> nn.Module:
    """A small one."""
    from transformers import SamConfig, SamModel

    vision = {"hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 3, "mlp_dim": 192}
    vision |= {"image_size": 256, "output_channels": 64, "window_size": 7}
    vision |= {"global_attn_indexes": [2], "num_pos_feats": 32}
    decoder = {"hidden_size": 64, "mlp_dim": 128, "num_attention_heads": 4}
    decoder |= {"iou_head_hidden_dim": 64}
    prompts = {"hidden_size": 64, "image_size": 256, "patch_size": 16}
    config = SamConfig(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    return SamModel(config)


@export
def sam_encoder() -> Export:
    """A picture to its embedding; decomposed relative positions."""
    network = Outputs(sam().vision_encoder, ["pixel_values"], "last_hidden_state")
    return Export(network, {"pixel_values": picture(256)}, ["image_embeddings"])


@export
def sam_decoder() -> Export:
    """An embedding and points to masks and scores."""
    inputs = {
        "image_embeddings": torch.randn(1, 64, 16, 16),
        "input_points": torch.rand(1, 1, 3, 2) * 256,
        "input_labels": torch.ones(1, 1, 3, dtype=torch.int64),
    }
    names = ["pred_masks", "iou_scores"]
    network = Outputs(sam(), list(inputs), *names, multimask_output=True)
    return Export(network, inputs, names)


def yolo() -> nn.Module:
    """YOLO11n-seg with the head that exports."""
    from ultralytics.nn.tasks import SegmentationModel

    network = SegmentationModel("yolo11n-seg.yaml", verbose=False)
    head = network.model[-1]
    head.export, head.format = True, "onnx"
    return network


@export
def yolo_seg() -> Export:
    """Boxes with coefficients, and prototypes of masks."""
    return Export(yolo(), {"images": picture(256)}, ["output0", "output1"])


@export
def yolo_seg_suppressed() -> Export:
    """The same, then NonMaxSuppression and the masks of what is left: sizes depend on data."""

    class Suppressed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = yolo()

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            from torchvision.ops import nms

            rows, prototypes = self.network(images)
            rows = rows[0].transpose(0, 1)
            center, size = rows[:, :2], rows[:, 2:4]
            boxes = torch.cat([center - size / 2, center + size / 2], 1)
            scores = rows[:, 4:-32].max(1).values
            kept = nms(boxes, scores, 0.5)
            masks = rows[kept, -32:] @ prototypes[0].flatten(1)
            return boxes[kept], masks.sigmoid().reshape(-1, *prototypes.shape[2:])

    return Export(Suppressed(), {"images": picture(128)}, ["boxes", "masks"])


@export
def lraspp() -> Export:
    """MobileNetV3 with a light head."""
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None)
    network = Outputs(network, ["input"], "out")
    network.forward = lambda x: network.network(x)["out"]
    return Export(network, {"input": picture(224)}, ["out"], 18, dynamo=True)


def excite(network: nn.Module) -> None:
    """Random weights that keep the size of what goes through them, as trained ones do."""
    for module in network.modules():
        weight = getattr(module, "weight", None)
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            fan = (
                weight[0].numel() if not isinstance(module, nn.ConvTranspose2d) else weight.size(0)
            )
            nn.init.normal_(weight, std=(1.5 / fan) ** 0.5)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)


def run(name: str, folder: Path) -> Path:
    """Write one network without its weights."""
    torch.manual_seed(0)
    made = EXPORTS[name]()
    excite(made.network)
    made.network.eval()
    arguments: dict[str, Any] = {"input_names": list(made.inputs)}
    arguments |= {"output_names": list(made.outputs), "opset_version": made.opset}
    arguments |= {"dynamo": made.dynamo}
    if made.dynamic:
        arguments["dynamic_axes"] = made.dynamic
    with tempfile.TemporaryDirectory() as temporary, torch.no_grad():
        full = Path(temporary) / "full.onnx"
        torch.onnx.export(made.network, tuple(made.inputs.values()), str(full), **arguments)
        model = onnx.load(full)
    target = folder / f"{name}.onnx.xz"
    write(model, target)
    return target


def main() -> None:
    """Export what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=GRAPHS)
    parser.add_argument("names", nargs="*", default=list(EXPORTS), metavar="NAME")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in options.names:
        try:
            target = run(name, options.folder)
        except Exception as error:  # the others are still wanted
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            failed += 1
        else:
            print(f"{target}: {target.stat().st_size} bytes")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
