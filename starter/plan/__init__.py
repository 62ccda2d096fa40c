"""`plan` commands: calendars before anything is sent."""
