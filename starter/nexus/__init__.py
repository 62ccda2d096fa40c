"""What the workflows of other teams may ask for: the Nexus service `signatures` (docs/nexus.md)."""
