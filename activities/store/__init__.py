"""The document and record store: one fsspec URL, shared by starters and workers."""
