"""The reconciliation workflow: events of Core Signature against what our requests have heard."""
