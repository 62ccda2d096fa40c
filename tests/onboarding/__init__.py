"""Onboardings, from the file to the last part."""
