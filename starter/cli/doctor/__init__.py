"""`countersign doctor`: whether everything is reachable and set up."""
