"""Data kept beyond Temporal's retention: settled records, notification pages, texts of people, cover sheets."""
