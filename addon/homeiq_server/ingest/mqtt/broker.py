"""Which broker is spoken to, and as whom."""

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from homeiq_server.errors import Misconfigured
from homeiq_server.options.declaring import Secret
from homeiq_server.options.ingest import IngestOptions

_PORT = 1883
_TLS_PORT = 8883


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A broker as it is now; looked up again for each connection.

    Attributes:
        host: A name or an address.
        port: 1 to 65535.
        tls: What its certificate is checked with; None for a connection without TLS.
        username: None for nobody.
        password: Belongs to ``username``.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    username: str | None = None
    password: Secret | None = None

    @property
    def address(self) -> str:
        """How people read it, without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def broker_of(options: IngestOptions) -> Broker | None:
    """Return the broker at ``mqtt_url``, or None when it is not set; reads files.

    Raises:
        Misconfigured: ``mqtt_ca_cert`` cannot be read, or has no certificate in it.
    """
    if options.mqtt_url is None:
        return None
    parts = urlsplit(options.mqtt_url)
    encrypted = parts.scheme == "mqtts"
    return Broker(
        host=parts.hostname or "",
        port=parts.port or (_TLS_PORT if encrypted else _PORT),
        tls=_context(options) if encrypted else None,
        username=options.mqtt_username,
        password=options.mqtt_password,
    )


def _context(options: IngestOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.mqtt_ca_cert)
    except (OSError, ValueError) as err:
        raise Misconfigured(f"mqtt_ca_cert cannot be used: {options.mqtt_ca_cert} ({type(err).__name__})") from None
    if not options.mqtt_verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
