"""Tests of the sandbox itself, over real connections to a real port."""
