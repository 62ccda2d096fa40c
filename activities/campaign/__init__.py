"""Campaigns: the file, the frozen audience, batches over it, how every member stands, digests, yearly openings."""
