"""Ways in to the desk: the link, the code, and how they are sent."""
