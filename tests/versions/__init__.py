"""A system that is changed while requests live in it: other code, other versions, other keys."""
