"""A real Home Assistant beside a real server, for the demo, ``scripts/develop`` and the end-to-end tests."""
