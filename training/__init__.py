"""How the default model came about: scenes composed from a seed, a network, its training.

Needs the extra ``train`` (PyTorch); nothing else in pyhades imports this package.
"""
