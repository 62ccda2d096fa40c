"""Status, lists, figures, and commands sent to workflows: the running workflow first, else the record."""
