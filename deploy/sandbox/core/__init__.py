"""The HTTP interface of Core Signature as the sandbox serves it."""
