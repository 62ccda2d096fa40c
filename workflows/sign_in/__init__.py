"""The sign-in workflow: one link and code to the desk for one person."""
