"""What a request costs, beside the smallest workflow that asks the same of the world: `make bench`."""
