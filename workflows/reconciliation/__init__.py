"""The reconciliation workflow: compares Core Signature's events with what callbacks delivered."""
