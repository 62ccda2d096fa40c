"""The engine of "somebody must do something by then": clocks, agenda, ledger, operations, patience."""
