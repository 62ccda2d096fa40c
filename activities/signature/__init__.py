"""Signature requests: the request file, and the workflow's input made of it."""
