"""The laptop stack: Temporal, sandbox, web process and worker on one machine, until Ctrl-C."""
