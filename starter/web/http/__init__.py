"""What all addresses share: bodies within bounds, who calls, how often, and the company's sign-in."""
