"""pyhades: background removal and language models on commodity x86 servers."""

__version__ = "0.1.0"
