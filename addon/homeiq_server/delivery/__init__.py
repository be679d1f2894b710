"""Delivery of alerts: an outbox in the store, and the ways out of it."""
