"""How the models that ship with pyhades came about: their data, networks and training.

Not part of the package: run from a checkout, with the extra ``train`` (PyTorch). pyhades imports
nothing from here.
"""
