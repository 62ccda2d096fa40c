"""`countersign demo`: a fresh stack, one onboarding in two simulated weeks, every step checked."""
