"""From a file that somebody wrote to a started workflow: the one start path."""
