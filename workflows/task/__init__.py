"""Tasks: assignees, state, view and workflow."""
