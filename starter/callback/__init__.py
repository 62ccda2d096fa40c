"""A callback of Core Signature, from the bytes of a stranger to a signal."""
