"""The Core Signature client and service against the sandbox on a real port."""
