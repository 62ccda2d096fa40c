"""Campaigns as people see them: how they stand, what their record says, and what would happen."""
