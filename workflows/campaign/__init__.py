"""Campaigns: a frozen audience, a window, a record; each member has a request of their own."""
