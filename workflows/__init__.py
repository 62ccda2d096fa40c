"""Deterministic workflow code: imports only the standard library, temporalio, pydantic and itself."""
