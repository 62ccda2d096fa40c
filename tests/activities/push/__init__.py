"""Tests of notices: words, dialects, service."""
