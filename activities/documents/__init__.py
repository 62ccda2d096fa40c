"""Bytes by name on a folder or an object store (fsspec), and what may be wrong with them."""
