"""The spool's tables, each with its sums, and the transaction that changes them."""
