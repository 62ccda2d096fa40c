"""Who knocks from outside: the command line, the callback receiver and the pages for signers."""
