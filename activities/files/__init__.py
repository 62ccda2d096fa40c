"""The files people write: their lines, their values, and every fault at once."""
