"""Pictures end to end, from a file to a file: speed, waiting, memory and cost, and their model."""
