"""Telling everyone downstream how something ended: people, signed HTTP calls, workflows, Nexus operations."""
