"""From a validated file to a started workflow: the one start path."""
