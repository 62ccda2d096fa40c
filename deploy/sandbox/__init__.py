"""A stand-in for Core Signature, push service and hand-off targets, over real HTTP. It imports nothing of the
application, has its own append-only ledger (`ledger.py`), refuses what the vendors refuse, and breaks on request
(`faults.py`).
"""
