"""Notices to people: push, mail and SMS, their texts, budgets and links, alerts to on-call."""
