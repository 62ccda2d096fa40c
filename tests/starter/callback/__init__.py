"""Tests of a callback, from bytes to a signal."""
