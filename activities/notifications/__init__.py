"""Notices to people: push, mail and SMS, their words, their budgets, the links in them, alerts to on-call."""
