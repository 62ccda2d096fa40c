"""The planner: policy, people and their calendars become a schedule of instants, each with its reason."""
