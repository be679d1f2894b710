"""The terms of tenants: reminders, grace, suspension, and what is cleaned up."""
