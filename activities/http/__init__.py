"""How services are called: clients, tokens, addresses we may call, and what error bodies say."""
