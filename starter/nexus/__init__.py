"""The Nexus service `signatures` for workflows of other teams (docs/nexus.md)."""
