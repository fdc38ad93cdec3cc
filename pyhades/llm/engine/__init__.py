"""Steps of a model: which tokens go in, what is kept of them, and which come out."""
