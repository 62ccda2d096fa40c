"""From a request file to a started signature request: read, checked, resolved, started or recognised."""
