"""ONNX in and out, by our own reader and writer of the wire format."""

from pyhades.onnx.importer import load_onnx
from pyhades.onnx.writer import save_onnx

__all__ = ["load_onnx", "save_onnx"]
