"""Where the files of a checkpoint are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from pathlib import Path

from pyhades.cache import hugging_face_hub
from pyhades.errors import ConfigurationError, ModelError
from pyhades.formats.gguf import MAGIC
from pyhades.llm.checkpoint.settings import read_json

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_SAFETENSORS_SHARD = re.compile(r"-\d{5}-of-\d{5}\.safetensors$")
_GGUF_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
_SUFFIXES = (".safetensors", ".gguf", ".json")
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_HUB_ADDRESS = re.compile(r"^(https?://)?(huggingface\.co|hf\.co)/")
_FETCHED = (
    "fetch it with `hf download {0}/{1} --local-dir {1}` (pip install huggingface_hub), then name "
    "the folder {1}"
)
ORIGINAL = "original"
"""Folder of OpenAI's layout inside of their repositories."""


_TOY = Path(__file__).parents[1] / "data" / "toy"


def toy_model() -> Path:
    """Where the toy model lies that ships with the package.

    Raises
    ------
    ConfigurationError
        The installation lacks it.
    """
    if not _TOY.is_dir():
        raise ConfigurationError(f"{_TOY} is missing; install pyhades again, or name a model")
    return _TOY


def located(path: str | os.PathLike[str]) -> Path:
    """Where a model is: at a path, or in the cache of Hugging Face under its name there.

    Parameters
    ----------
    path
        A path; or the name of a repository, ``openai/gpt-oss-20b`` say, or its address.

    Raises
    ------
    ModelError
        There is nothing; the message says how the model is fetched.
    """
    place = Path(path).expanduser()
    if place.exists():
        return place
    name = _HUB_ADDRESS.sub("", str(path)).strip("/")
    is_file = place.suffix in _SUFFIXES
    if is_file or not _HUB_NAME.fullmatch(name):
        remedy = ""
        if "://" in str(path):
            remedy = "; pyhades opens files on this machine: download it first"
        elif not is_file and "/" not in name:
            remedy = f"; {_FETCHED.format('OWNER', 'NAME')}"
        raise ModelError(f"{path}: there is no such file or folder{remedy}")
    owner, repository = name.split("/")
    cached = hugging_face_hub() / f"models--{owner}--{repository}"
    if cached.is_dir():
        return cached
    raise ModelError(
        f"{path}: there is no such file or folder, and no model of this name in the cache of "
        f"Hugging Face ({hugging_face_hub()}); {_FETCHED.format(owner, repository)}"
    )


def holds_weights(path: str | os.PathLike[str]) -> bool:
    """Whether a path, or a name of the hub, is that of a checkpoint and not that of a graph."""
    place = Path(path).expanduser()
    if place.is_file():
        return place.suffix == ".safetensors" or place.name == _INDEX or is_gguf(place)
    try:
        return not any(place.glob("*.onnx")) and bool(weight_files(located(path)))
    except ModelError:
        return False


def hides(target: Path, folders: Collection[Path]) -> bool:
    """Whether a new file in one of these folders is read in place of the weights there."""
    if target.parent not in folders or target.suffix not in _SUFFIXES:
        return False
    if target.name in (_SINGLE, _INDEX):
        return True
    return not ((target.parent / _SINGLE).exists() or (target.parent / _INDEX).exists())


def weight_files(path: Path) -> list[Path]:
    """The weight files of a checkpoint, all of one kind, shards in order.

    Parameters
    ----------
    path
        A file, a shard, a folder, or a model's folder in the cache of Hugging Face.

    Raises
    ------
    ModelError
        There is nothing there, or a graph, a shard is missing, or it is not clear which file is
        meant.
    """
    if not path.exists():
        raise ModelError(f"{path}: there is no such file or folder")
    if path.is_dir():
        return _of_folder(_newest_snapshot(path))
    if not path.is_file():  # opening a pipe would wait for its writer
        raise ModelError(f"{path}: cannot read the model: it is no regular file")
    if path.name == _INDEX:
        return _of_index(path)
    if path.suffix == ".json":
        raise ModelError(f"{path} holds no weights; name the folder {path.parent.resolve()}")
    if path.suffix == ".onnx":
        raise ModelError(
            f"{path} is an ONNX graph, not the checkpoint of a language model; 'pyhades inspect' "
            "tells what it is"
        )
    if _SAFETENSORS_SHARD.search(path.name) and (path.parent / _INDEX).exists():
        return _of_index(path.parent / _INDEX)
    return _gguf_parts(path)


def is_gguf(path: Path) -> bool:
    """Whether a file is GGUF, whatever it is called: ollama names its files by their hashes."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror}") from None


def beside(folder: Path, name: str) -> Path | None:
    """The file that accompanies the weights in ``folder``, or in the one above ``original``."""
    folders = [folder, folder.parent] if folder.name == ORIGINAL else [folder]
    return next((place / name for place in folders if (place / name).exists()), None)


def _newest_snapshot(folder: Path) -> Path:
    """What ``refs/main`` of a cached repository names, or the snapshot that changed last."""
    snapshots = folder / "snapshots"
    if not snapshots.is_dir():
        return folder
    main = folder / "refs" / "main"
    if main.exists() and (snapshots / main.read_text().strip()).is_dir():
        return snapshots / main.read_text().strip()
    found = [place for place in snapshots.iterdir() if place.is_dir()]
    if not found:
        raise ModelError(f"{snapshots} is empty; download the model again")
    return max(found, key=lambda place: place.stat().st_mtime)


def _of_folder(folder: Path) -> list[Path]:
    if (folder / _SINGLE).exists():
        return [folder / _SINGLE]
    if (folder / _INDEX).exists():
        return _of_index(folder / _INDEX)
    found = sorted(folder.glob("*.safetensors"))
    if found:
        return found
    found = [path for path in sorted(folder.glob("*.gguf")) if _is_first_part(path)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ModelError(f"{folder} holds several models, name one: {names}")
    if found:
        return _gguf_parts(found[0])
    if (folder / ORIGINAL).is_dir():
        return _of_folder(folder / ORIGINAL)
    raise ModelError(
        f"{folder} holds no *.safetensors and no *.gguf; weights in other formats must be converted"
    )


def _of_index(index: Path) -> list[Path]:
    """The shards that an index lists."""
    listed = read_json(index).get("weight_map")
    names = list(listed.values()) if isinstance(listed, dict) else []
    if not isinstance(listed, dict) or not names or not all(isinstance(x, str) for x in names):
        raise ModelError(f"{index} has no weight_map from tensors to files; download it again")
    files = sorted({index.parent / name for name in names})
    for path in files:
        if not path.exists():
            first = next(name for name, place in listed.items() if index.parent / place == path)
            raise ModelError(
                f"{path} is missing, which should hold tensor {json.dumps(first)} and others; "
                "download it"
            )
    return files


def _is_first_part(path: Path) -> bool:
    match = _GGUF_SHARD.search(path.name)
    return match is None or int(match[1]) == 1


def _gguf_parts(path: Path) -> list[Path]:
    """All parts of a split file, of which ``path`` is one."""
    match = _GGUF_SHARD.search(path.name)
    if match is None:
        return [path]
    stem, count = path.name[: match.start()], int(match[2])
    parts = [path.with_name(f"{stem}-{n:05d}-of-{match[2]}.gguf") for n in range(1, count + 1)]
    for part in parts:
        if not part.exists():
            raise ModelError(f"{part} is missing, a part of {path.name}; download it")
    return parts
