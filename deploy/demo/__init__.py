"""`countersign demo`: a fresh stack, one onboarding in two weeks of its calendar, every step checked."""
