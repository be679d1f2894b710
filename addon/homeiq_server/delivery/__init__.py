"""Alerts on their way out: the outbox is emptied, each delivery by the way that its integration is for."""
