"""The graph IR: what a network is, before anything is decided about how it runs."""

from pyhades.ir.graph import Graph, Node, TensorType, Value

__all__ = ["Graph", "Node", "TensorType", "Value"]
