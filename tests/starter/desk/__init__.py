"""The desk, as browsers meet it."""
