"""Tests of signature requests."""
