"""Faults and deaths on the real server, over the sandbox's faults: one named test per row of docs/faults.md."""
