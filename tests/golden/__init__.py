"""What was promised to histories, records and people, as files; `python -m tests.golden` adds what is new."""
