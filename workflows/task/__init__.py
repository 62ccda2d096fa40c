"""What only tasks know: who is asked to do something, how it ends, and the messages about that."""
