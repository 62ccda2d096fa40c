"""How an onboarding comes to live: its file is checked with all parts, and each starts when its stage comes."""
