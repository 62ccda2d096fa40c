"""Faults and deaths on the real server, over the sandbox's faults: a test for each row of `catalogue.toml`."""
