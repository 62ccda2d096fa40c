"""HTTP that all services of the sandbox share: the outermost layer, OAuth, error bodies."""
