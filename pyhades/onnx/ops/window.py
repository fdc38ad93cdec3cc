"""Convolution and pooling."""

from __future__ import annotations

from pyhades.onnx.translate import same

same("Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool")
same("AveragePool", since=7)
same("MaxPool", since=8)
