"""Notices on people's phones: their words, the dialects that carry them, and the service a workflow calls."""
