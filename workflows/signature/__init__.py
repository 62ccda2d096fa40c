"""What only signature requests know: signers, progress, messages, the answer of `show`, the record, the workflow."""
