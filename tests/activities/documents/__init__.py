"""Tests of activities/documents."""
