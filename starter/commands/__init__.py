"""The words of the `countersign` command, thin: read the settings, call what does the work, print its answer."""
