"""What the web process takes in: the catalogue of kinds, and hooks of other systems."""
