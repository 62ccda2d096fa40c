"""OpenText Core Signature: its HTTP interface (client), what it says (wire, reading), the port it serves (service)."""
