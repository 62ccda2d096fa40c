"""The pages for people: a phone's notification list and the page on which a signer signs."""
