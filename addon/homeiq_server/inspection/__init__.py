"""The loop behind the insights: feeds an engine for each Home Assistant, and brings what they find to the store."""

from .inspector import HOME, Inspector

__all__ = ["HOME", "Inspector"]
