"""Campaigns: file, frozen audience, batch jobs over it, member status, digests, yearly openings."""
