"""Tests of process start."""
