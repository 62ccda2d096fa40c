"""The hand-offs of everything: how each target stands, and trying again by the many."""
