"""What a page shows of a follow-up, and how it is rendered."""
