"""Terminal output: tables and instants."""
