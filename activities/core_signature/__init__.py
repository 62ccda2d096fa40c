"""OpenText Core Signature: HTTP client, wire models, and the `SignatureService` port."""
