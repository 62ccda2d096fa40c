"""What one page is made of: its words, what may be done on it, what it posts, what it knows."""
