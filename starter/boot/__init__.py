"""How a process begins and ends: settings read, log set up, clients opened, exit codes."""
