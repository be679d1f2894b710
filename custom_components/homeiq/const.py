"""What several files of the integration have to agree on."""

from datetime import timedelta
from typing import Final

DOMAIN: Final = "homeiq"

# The version of the link between integration and app that is spoken here, and the oldest that is understood.
API_VERSION: Final = 1
MIN_API_VERSION: Final = 1

# In the entry's data, beside the URL and the token: the app's slug, when the Supervisor told us of the app.
CONF_APP_SLUG: Final = "app_slug"

# The sections of the options, and the keys within each.
CONF_INCLUDE: Final = "include"
CONF_EXCLUDE: Final = "exclude"
CONF_DOMAINS: Final = "domains"
CONF_ENTITIES: Final = "entities"
CONF_GLOBS: Final = "entity_globs"
CONF_AREAS: Final = "areas"
CONF_LABELS: Final = "labels"
CONF_DEVICES: Final = "devices"
CONF_DEVICE_ENTITIES: Final = "device_entities"

# On the bus: an alert that the app's routes send to Home Assistant.
EVENT_ALERT: Final = f"{DOMAIN}_alert"

STATUS_INTERVAL: Final = timedelta(seconds=30)
BUFFER_EVENTS: Final = 50_000
