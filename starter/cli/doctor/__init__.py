"""`countersign doctor`: checks whether everything is reachable and set up."""
