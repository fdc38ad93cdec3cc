"""Recurrent layers."""

from __future__ import annotations

from pyhades.onnx.translate import same

same("GRU", "LSTM", "RNN", since=7)
