"""The laptop stack as people run it: real processes, real ports, the real server."""
