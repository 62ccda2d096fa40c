"""Activities, and the clients, files and stores behind them."""
