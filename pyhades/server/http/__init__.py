"""HTTP around protocols: bodies, keys, streams, and clients that go away."""
