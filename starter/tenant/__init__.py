"""Trying a real tenant: one document to oneself, each assumed fact judged by what was answered."""
