"""A stand-in for Core Signature, the push service and the systems downstream, over real HTTP.

It imports nothing of the application, so that it can catch the application's clients lying: it keeps its own truth
in an append-only ledger (`ledger.py`), refuses what the vendors refuse, and breaks on request (`faults.py`).
"""
