"""Servers that the app brings along and runs itself, each a supervised child process."""
