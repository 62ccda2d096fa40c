"""Campaigns: the file, the audience and who of it stands how, and what managers and the owner hear."""
