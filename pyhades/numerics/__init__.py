"""The mathematics of every operator in NumPy, once: the specification."""
