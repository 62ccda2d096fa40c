"""Pages for people: a phone's notices, and the signing page."""
