"""Pictures in and out: reading, colour, writing. Knows nothing of networks."""
