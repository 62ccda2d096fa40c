"""Bytes under their hash, in a folder or at an object store (fsspec)."""
