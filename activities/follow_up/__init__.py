"""The rules of following up: who is nudged when, by policy and on the recipient's own calendar. Pure but for people."""
