"""What is done about evidence each day."""
