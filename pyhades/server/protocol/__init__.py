"""Protocols: bodies of requests become turns, and pieces of answers become what clients read.

Nothing here knows HTTP or the engine. A protocol is a handful of pure functions and of *faces*,
which turn the pieces of one answer into events, so that their order is tested without a server.
"""
