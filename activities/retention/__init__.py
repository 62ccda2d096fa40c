"""Retention: what is removed each day."""
