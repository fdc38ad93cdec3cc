"""What a model costs, and how good it is: bytes, operations, predictions, random weights, prompts.

Stands on ``engine``.
"""
