"""Matrix products."""

from __future__ import annotations

from pyhades.onnx.translate import same

same("MatMul")
same("Gemm", since=7)
same("Det", since=11)
same("Einsum", since=12)
