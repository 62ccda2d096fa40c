"""Tests of the Temporal library."""
