"""What only onboardings know: their stages, the parts in each, and what their owner decides."""
