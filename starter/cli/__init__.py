"""The `countersign` command: its words and output."""
