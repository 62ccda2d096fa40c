"""How the world is asked: activities and the clients, files and stores behind them."""
