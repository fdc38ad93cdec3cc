"""Where pictures come from: folders, lists, archives, tables, and what fsspec reaches."""
