"""How many of something are let through in a time, for each of many senders."""
