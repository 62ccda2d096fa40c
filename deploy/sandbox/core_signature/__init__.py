"""The stand-in for Core Signature."""
