"""Onboardings that another system begins: who may call, and what file its JSON becomes (docs/onboarding.md)."""
