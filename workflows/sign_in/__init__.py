"""The sign-in workflow: one way in to the desk for one person."""
