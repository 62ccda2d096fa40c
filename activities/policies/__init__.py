"""How a kind of document is followed up: the catalogue, its cascade, and whether it makes sense."""
