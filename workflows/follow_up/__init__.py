"""The engine shared by all kinds: state, schedule, next step, notifications, commands, hand-off, retries."""
