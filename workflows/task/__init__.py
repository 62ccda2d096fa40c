"""Tasks: assignees, state and workflow."""
