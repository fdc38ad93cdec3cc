"""Networks as the pipeline knows them; what runs them is :mod:`pyhades.engines`."""

from __future__ import annotations

from typing import Literal, get_args

from pyhades.engines.compiled import CompiledNetwork
from pyhades.engines.feeding import fed_picture
from pyhades.engines.network import Network

__all__ = ["NETWORK_PRECISIONS", "CompiledNetwork", "Network", "NetworkPrecision", "fed_picture"]

NetworkPrecision = Literal["fp32", "bf16", "int8", "auto"]
"""Of a segmentation network; ``"auto"`` is the fastest that stays within a budget."""
NETWORK_PRECISIONS: tuple[NetworkPrecision, ...] = get_args(NetworkPrecision)
