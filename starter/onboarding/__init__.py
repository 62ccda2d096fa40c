"""What people see of an onboarding, and how many of them are started: the work behind `countersign onboard …`."""
