"""What the sandbox keeps: settings, records, ledger, armed faults, jobs that are due."""
