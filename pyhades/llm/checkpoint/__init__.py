"""Containers of tensors, whatever they are stored in, read in one way."""
