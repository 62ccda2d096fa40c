"""Onboardings: their stages, the parts of each, and their owner's decisions."""
