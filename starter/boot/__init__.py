"""Start and end of processes: settings, log, clients, exit codes."""
