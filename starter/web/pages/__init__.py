"""Pages behind links: signing, tasks, onboardings."""
