"""What devices ask for, in the document: they show tokens of their own, or none yet."""

from typing import Annotated, Any, Final

from homeiq_server.api.ingest import BATCH, SINGLE
from homeiq_server.api.ingest_answers import BatchTaken, Taken
from homeiq_server.api.provision import ACTIVATE, PROVISION, Activate, Given, Provision
from homeiq_server.ingest.message import Reason
from homeiq_server.ingest.topic import MSG_TYPES

from .device_shape import DeviceId
from .openapi_answers import OF_BODIES, PROBLEM, problems, success
from .openapi_shapes import REFERENCE, Shapes
from .tenant_shape import TenantId

type Json = dict[str, Any]

SHAPES: Final = (Taken, BatchTaken, Activate, Provision, Given, Reason, TenantId, DeviceId)
"""What the others refer to."""

SECURITY: Final[Json] = {
    "device": {"type": "apiKey", "in": "header", "name": "X-Provision-Token", "description": "A device's token."},
    "device_bearer": {"type": "http", "scheme": "bearer", "description": "The same."},
}
TAG: Final = "ingest"
"""What devices do."""
