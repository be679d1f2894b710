"""Where and as whom to write."""

from dataclasses import dataclass, field
from pathlib import Path

from homeiq_server.history.target import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxSettings:
    """What a person says of the database; what it is, it tells itself.

    Attributes:
        url: Base address; without user and password, because it is shown.
        token: For InfluxDB 2 and 3; an InfluxDB 1.8 takes ``user:password``.
        username: For InfluxDB 1, and for a VictoriaMetrics or a proxy that asks for a password.
        password: Belongs to ``username``.
        org: InfluxDB 2 only.
        bucket: InfluxDB only; in InfluxDB 3 the database, in InfluxDB 1 the database or ``database/retention policy``.
        verify_ssl: False accepts any certificate.
        ca_file: Certificates to trust instead of the system's.
        embedded: It is our own VictoriaMetrics: known before it answers, and not asked whether it refuses bad lines.
        kept: What is known of the times that it keeps before it was asked.
        connect_timeout_s: For the connection alone.
        timeout_s: For the whole of a request.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    org: str = ""
    bucket: str = ""
    verify_ssl: bool = True
    ca_file: Path | None = None
    embedded: bool = False
    kept: Kept = field(default_factory=Kept)
    connect_timeout_s: float = 5
    timeout_s: float = 30
