"""Operators that pick elements."""

from __future__ import annotations

from pyhades.onnx.translate import same

same("NonZero", since=9)
same("Compress", since=9)
same("NonMaxSuppression", since=10)
same("ReverseSequence", since=10)
same("Unique", since=11)
