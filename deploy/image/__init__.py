"""The image: how it is built."""
