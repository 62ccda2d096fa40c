"""Handing off once more what has ended."""
