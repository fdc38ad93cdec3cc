"""Which format every tensor is kept in: recipes, measuring, packing, loading, converting.

The highest room: ``precision="auto"`` runs the model to measure it.
"""
