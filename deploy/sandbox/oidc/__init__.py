"""The company's identity provider."""
