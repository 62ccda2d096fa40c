"""`countersign demo`: a fresh stack, one customer contract's life in two weeks of its calendar, every step checked."""
