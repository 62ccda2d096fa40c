"""The bulk notice workflow: notifications about several follow-ups at once."""
