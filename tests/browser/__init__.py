"""The pages in a real browser, on a phone's screen, before the whole stack."""
