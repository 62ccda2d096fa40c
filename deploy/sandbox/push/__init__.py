"""The HTTP interfaces of the push services as the sandbox serves them."""
