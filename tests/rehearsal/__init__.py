"""An installation on several machines, rehearsed on one: nothing shared but Temporal, a database and a bucket."""
