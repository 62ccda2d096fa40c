"""An approval: a person says yes or no, without a document. Whoever imports `everywhere` has it on every floor."""
