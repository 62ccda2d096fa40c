"""Reconciliation: finds in Core Signature's events what callbacks have missed."""
