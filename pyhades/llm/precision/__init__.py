"""Which format every tensor is kept in, and packing, loading and converting by it."""
