"""How Countersign runs: the stack on a laptop, the sandbox, the container and cluster files."""
