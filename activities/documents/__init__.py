"""Objects by name on a folder or an object store (fsspec)."""
