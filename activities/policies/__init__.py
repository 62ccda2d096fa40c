"""Policies: the catalogue, its cascade, and checks of what cannot work."""
