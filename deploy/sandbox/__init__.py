"""A stand-in for Core Signature, push services and hand-off targets, over real HTTP. It imports nothing of the
application, has its own append-only ledger (`state/ledger.py`), refuses what the vendors refuse, and breaks on request
(`state/faults.py`).
"""
