"""How workflows are started and reached: command line, HTTP process, Nexus."""
