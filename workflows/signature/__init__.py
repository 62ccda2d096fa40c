"""Signature requests: state, signers, document and workflow."""
