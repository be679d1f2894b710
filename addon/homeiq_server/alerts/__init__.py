"""Alerts: what rules say of what devices send, or do not send any more."""
