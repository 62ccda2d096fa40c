"""Temporal from within activities: executions, updates, failures, interceptors, leases."""
