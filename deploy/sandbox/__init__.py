"""A stand-in for Core Signature, the push service and hand-off targets, over real HTTP. It imports nothing of the
application: it has its own append-only ledger (`ledger.py`), refuses what the vendors refuse, and breaks on request
(`faults.py`), so that it can expose errors of the application's clients.
"""
