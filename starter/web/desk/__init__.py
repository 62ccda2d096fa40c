"""The desk: lists, a page for each follow-up and campaign, and their actions."""
