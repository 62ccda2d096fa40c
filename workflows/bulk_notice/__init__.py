"""The workflow that tells some people something that is about no single follow-up."""
