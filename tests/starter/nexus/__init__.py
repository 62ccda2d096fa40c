"""Tests of Nexus."""
