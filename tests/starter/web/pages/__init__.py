"""Tests of phone pages."""
