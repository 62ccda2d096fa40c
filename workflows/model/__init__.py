"""What crosses a boundary: the request and its policy, what the provider said, what people did, what was decided.

Every model is frozen and ignores unknown fields: histories outlive code, so fields are only ever added, with defaults.
Persons are directory ids; names and addresses never enter a history. Each model is imported from its own room.
"""
