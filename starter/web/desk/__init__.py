"""The desk: lists, one page for each follow-up and campaign, and what may be done there."""
