"""How something comes to live that is followed up: its file is checked, and its one workflow started or recognised."""
