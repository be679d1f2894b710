"""How much is taken of a device and of a tenant."""

from dataclasses import dataclass
from typing import Self

from homeiq_server.options.ingest import IngestOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the options say of messages; rates are of tokens, see ``Buckets``.

    Attributes:
        payload_bytes: The largest message.
        metrics: The most metrics in one.
        device_rate: Messages a second of one device.
        device_burst: How many of it at once.
        tenant_rate: Messages a second of all devices of a tenant that has no limit of its own.
        tenant_burst: How many of them at once.
        require_token: Whether devices of the home must show a token by MQTT too.
    """

    payload_bytes: int = 16_384
    metrics: int = 50
    device_rate: float = 5
    device_burst: int = 20
    tenant_rate: float = 1_000
    tenant_burst: int = 5_000
    require_token: bool = True

    @classmethod
    def of(cls, options: IngestOptions) -> Self:
        """Return those of the options."""
        return cls(
            payload_bytes=options.ingest_payload_bytes,
            metrics=options.ingest_metrics,
            device_rate=options.ingest_device_rate,
            device_burst=options.ingest_device_burst,
            tenant_rate=options.ingest_tenant_rate,
            tenant_burst=options.ingest_tenant_burst,
            require_token=options.ingest_require_token,
        )
