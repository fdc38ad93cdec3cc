"""Files that people take for ONNX models, by their first bytes: what they are and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyhades.formats.pointer import LFS_POINTER

_PICTURES = "a picture, not a model"
_EXPORT = "export the model to ONNX where it was trained"
_TORCH = "export it with torch.onnx.export"
_UNPACK = "unpack it and pass the .onnx file inside"
_SEARCHED = 1 << 16
"""Bytes at either end of an archive that are looked through for the names of its members."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, LFS_POINTER, "a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    (0, b"\x1f\x8b", f"gzip data; {_UNPACK} (`gunzip`)"),
    (0, b"BZh", f"bzip2 data; {_UNPACK}"),
    (0, b"\xfd7zXZ\0", f"xz data; {_UNPACK}"),
    (0, b"\x28\xb5\x2f\xfd", f"zstd data; {_UNPACK}"),
    (0, b"7z\xbc\xaf\x27\x1c", f"a 7z archive; {_UNPACK}"),
    (0, b"Rar!", f"a RAR archive; {_UNPACK}"),
    (257, b"ustar", f"a tar archive; {_UNPACK}"),
    (4, b"TFL3", "a TensorFlow Lite model; convert it with tflite2onnx or tf2onnx --tflite"),
    (4, b"ORTM", "a model in onnxruntime's ORT format; use the .onnx file that it was made from"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras weights, say); convert it with tf2onnx"),
    (0, b"GGUF", "a GGUF file, which holds a language model; pyhades.LLM may read it"),
    (0, b"7767517\n", f"an ncnn parameter file; {_EXPORT}"),
    (0, b"ftrt", "a TensorRT engine; use the .onnx file that it was made from"),
    (0, b"\x93NUMPY", f"a NumPy array; {_EXPORT}"),
    (0, b"\x89PNG", _PICTURES),
    (0, b"\xff\xd8\xff", _PICTURES),
    (0, b"GIF8", _PICTURES),
    (0, b"%PDF", "a PDF document, not a model"),
    (0, b"\x7fELF", "a program or library, not a model"),
    (0, b"MZ", "a Windows program or library, not a model"),
)  # fmt: skip


def stranger(data: memoryview) -> str | None:
    """What ``data`` is and what to do about it; None where we do not know it.

    Examples
    --------
    >>> stranger(memoryview(b"%PDF-1.7"))
    'a PDF document, not a model'
    """
    if not len(data):
        return "an empty file; the download may have failed"
    head = bytes(data[:512])
    for offset, magic, meaning in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return meaning
    tests: tuple[Callable[[memoryview, bytes], str | None], ...] = (
        _archive,
        _pickle,
        _safetensors,
        _text,
        _tensorflow,
    )
    return next((found for test in tests if (found := test(data, head))), None)


def _archive(data: memoryview, head: bytes) -> str | None:
    if head[:4] not in (b"PK\3\4", b"PK\5\6"):
        return None
    names = bytes(data[:_SEARCHED]) + bytes(data[-_SEARCHED:])
    for member, meaning in (
        (b"constants.pkl", f"a TorchScript archive; {_TORCH}"),
        (b"data.pkl", f"a PyTorch checkpoint (a zip file); {_TORCH}"),
        (b"model.weights.h5", "a Keras model (a zip file); convert it with tf2onnx"),
        (b".mlmodel", f"a Core ML package; {_EXPORT}"),
        (b".npy", f"NumPy arrays in a zip file; {_EXPORT}"),
        (b".onnx", f"a zip file; {_UNPACK}"),
    ):
        if member in names:
            return meaning
    return f"a zip file (PyTorch checkpoints are such files, too); unpack it, or {_TORCH}"


def _pickle(data: memoryview, head: bytes) -> str | None:
    if head[:1] != b"\x80" or head[1:2] not in (b"\2", b"\3", b"\4", b"\5"):
        return None
    return f"a Python pickle, as old PyTorch checkpoints are; {_TORCH}"


def _safetensors(data: memoryview, head: bytes) -> str | None:
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or length > len(data):
        return None
    return f"a safetensors file: weights without a graph; {_EXPORT}"


def _text(data: memoryview, head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for begin, meaning in (
        (b"<!doctype html", "an HTML page: the download gave a web page instead of the file"),
        (b"<html", "an HTML page: the download gave a web page instead of the file"),
        (b"{", "JSON text, not a model; a manifest belongs beside the model"),
        (b"ir_version", "ONNX in text form; save it in binary form (onnx.save)"),
        (b"<ir_version", "ONNX in text form; save it in binary form (onnx.save)"),
        (b"model {", "ONNX in text form; save it in binary form (onnx.save)"),
    ):
        if text.startswith(begin):
            return meaning
    if text.startswith((b"<?xml", b"<net")):
        if b"<net" in text:
            return f"an OpenVINO model; {_EXPORT}"
        return "XML text (an error of a download server, say), not a model"
    return None


def _tensorflow(data: memoryview, head: bytes) -> str | None:
    """Graphs of TensorFlow are protocol buffers, too; operators of theirs give them away."""
    begin = bytes(data[:_SEARCHED])
    if b"saved_model" in begin or b"serving_default" in begin or b"tensorflow" in begin:
        return "a TensorFlow graph; convert it with tf2onnx"
    if begin[:1] == b"\x0a" and b"\x12\x0bPlaceholder" in begin:
        return "a TensorFlow graph; convert it with tf2onnx"
    return None


def folder(path: Path) -> str:
    """What a folder that was given for a model is, and what to do."""
    if (path / "saved_model.pb").exists():
        return "a TensorFlow SavedModel; convert it with tf2onnx"
    if path.suffix == ".mlpackage":
        return f"a Core ML package; {_EXPORT}"
    models = sorted(entry.name for entry in path.iterdir() if entry.suffix == ".onnx")
    if models:
        return f"a folder; pass the path of a file in it: {', '.join(models[:5])}"
    return "a folder without .onnx files"
