"""Onboardings: the file, checked with all its parts, and the start of each part when its stage begins."""
