"""Tasks as people ask for them: a file, what it is checked against, and what it becomes."""
