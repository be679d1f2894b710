"""The ids under which Home Assistant keeps what is ours, each beginning with the app's own id.

They stay the same for ever: entities are found again by them. The app's ids of devices have no slash in them.
"""

from .const import DOMAIN

type Identifier = tuple[str, str]


def ingest_identifier(server_id: str, device_id: str) -> Identifier:
    """Return how the device registry knows a device that sends to the app."""
    return DOMAIN, f"{server_id}:ingest:{device_id}"


def metric_id(server_id: str, device_id: str, metric: str) -> str:
    """Return the unique id of the entity of a metric."""
    return f"{server_id}_ingest_{device_id}/{metric}"


def alert_id(server_id: str, device_id: str | None) -> str:
    """Return the unique id of the event entity of a device's alerts, of everybody's for None."""
    return f"{server_id}_alert" if device_id is None else f"{server_id}_ingest_{device_id}"


def is_metric(server_id: str, unique_id: str) -> bool:
    """Return whether an entity is one of a device that sends to the app, and shows what the device itself says."""
    return unique_id.startswith(f"{server_id}_ingest_") and "/" in unique_id
