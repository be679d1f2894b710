"""What InfluxDB's clients ask of a server: writes, and a few questions at their start; in InfluxDB's own words."""

from .routes import PATHS, add_routes

__all__ = ["PATHS", "add_routes"]
