"""Evidence: what proves what happened, without trust in us."""
