"""Calling services: clients, tokens, the guard of addresses, error bodies."""
