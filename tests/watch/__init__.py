"""Dashboards, alerts and the metrics that they name."""
