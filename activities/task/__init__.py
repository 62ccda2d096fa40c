"""Tasks: the task file, and the workflow's input made of it."""
