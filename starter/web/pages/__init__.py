"""The pages behind links: signing, tasks, journeys."""
