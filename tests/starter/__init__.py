"""Tests of the starter."""
