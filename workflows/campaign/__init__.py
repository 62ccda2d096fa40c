"""One campaign: a frozen audience, a window, a record; its requests follow people up themselves."""
