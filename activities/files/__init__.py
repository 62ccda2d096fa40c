"""Files that people write: values, lines, and all faults at once."""
