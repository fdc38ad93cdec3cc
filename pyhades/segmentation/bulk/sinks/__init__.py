"""Where results go: files, tar archives, and what fsspec reaches."""
