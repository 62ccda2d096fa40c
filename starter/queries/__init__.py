"""Status, lists, figures, and commands sent to workflows."""
