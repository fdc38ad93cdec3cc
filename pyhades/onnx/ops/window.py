"""Convolution and pooling."""

from __future__ import annotations

from pyhades.onnx.translate import same

same("Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool", "LRN")
same("AveragePool", since=7)
same("MaxPool", since=8)
same("GlobalLpPool", "LpPool", since=2)
same("MaxUnpool", since=9)
same("AffineGrid", since=20)
