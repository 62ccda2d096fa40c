"""How Countersign runs on a laptop: the stack, the sandbox, the demo; a check before a deploy."""
