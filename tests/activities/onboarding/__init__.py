"""Tests of onboardings."""
