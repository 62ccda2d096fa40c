"""The desk: every request on a page, for people without a terminal."""
