"""Signature requests: the file that people write, and the workflow input made of it."""
