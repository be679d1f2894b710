"""What callers ask of the spool: each a change of its tables, made wholly or not at all."""
