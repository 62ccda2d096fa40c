"""The image, built by `make image`, run as a cluster would run it."""
