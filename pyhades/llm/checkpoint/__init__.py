"""Containers: files found, mapped, and their tensors decoded piece by piece, without loss.

Knows names and shapes only as it is told them by an architecture, in the room above (``models``).
"""
