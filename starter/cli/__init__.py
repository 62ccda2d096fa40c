"""The `countersign` command: its words, and what it prints."""
