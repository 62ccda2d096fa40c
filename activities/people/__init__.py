"""People: the directory, their devices, their language and clock."""
