"""How people and tests see and move the sandbox: pages, control API, hand-off targets."""
