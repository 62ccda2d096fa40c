"""Signature requests: state, signers, view and workflow."""
