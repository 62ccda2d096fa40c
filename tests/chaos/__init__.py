"""Long runs of `make chaos`: the faults of tests/faults in the numbers of the fault catalogue, from a printed seed."""
