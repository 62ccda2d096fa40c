"""People: the directory, their devices, language and time zone."""
