"""A row of everything that a tenant can have, and what of it can be named in a request."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from homeiq_server.api.tenant.caller import GRANTABLE, Scope
from homeiq_server.credentials import digest, new_api_token
from homeiq_server.store.pool import Conn

TABLES: Final = (
    "idempotency_keys",
    "zigbee_devices",
    "ingest_counts",
    "quarantine",
    "delivery_attempts",
    "deliveries",
    "alert_routes",
    "integrations",
    "alert_changes",
    "alerts",
    "rule_states",
    "alert_rules",
    "device_states",
    "ingest_devices",
    "subscription_reminders",
    "subscription_audit",
    "subscriptions",
    "api_tokens",
)
"""Those of tenants, each before what it refers to."""

type Dump = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What there is of a tenant.

    Attributes:
        secret: Stands in every text that only he may see.
        token: Allows all that can be granted.
        lacking: Tokens that allow all but one thing.
        device_token: Of ``device_id``.
        activation_code: Of ``device_id``, too.
        provisioning_key: Of the tenant.
        other_token_id: Of a token that nothing is asked with.
        fetched_id: Of an integration that Home Assistant fetches from.
        waiting_id: Of a delivery that waits to be fetched.
        cursor: Of what became of alerts before there were these.
    """

    tenant_id: str
    secret: str
    token: str
    lacking: Mapping[Scope, str]
    device_id: str = field(default_factory=lambda: f"device-{secrets.token_hex(4)}")
    device_token: str = field(default_factory=lambda: f"hid_{secrets.token_urlsafe(32)}")
    activation_code: str = "K7QM-3XWPD"
    provisioning_key: str = field(default_factory=lambda: f"hik_{secrets.token_urlsafe(32)}")
    subscription_id: UUID = field(default_factory=uuid4)
    term_end: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) + timedelta(days=30))
    rule_id: UUID = field(default_factory=uuid4)
    integration_id: UUID = field(default_factory=uuid4)
    fetched_id: UUID = field(default_factory=uuid4)
    route_id: UUID = field(default_factory=uuid4)
    other_token_id: UUID = field(default_factory=uuid4)
    alert_id: int = 0
    delivery_id: int = 0
    waiting_id: int = 0
    quarantine_id: int = 0


def _new(tenant_id: str) -> Rows:
    return Rows(
        tenant_id=tenant_id,
        secret=f"for-{tenant_id}-alone-{secrets.token_hex(4)}",
        token=new_api_token(tenant_id),
        lacking={scope: new_api_token(tenant_id) for scope in sorted(GRANTABLE)},
    )


async def wipe(owner: Conn, tenant_id: str) -> None:
    """Delete all of a tenant but himself."""
    for table in TABLES:
        await owner.execute(f"DELETE FROM {table} WHERE tenant_id = $1", tenant_id)  # noqa: S608 - of a constant


async def put(owner: Conn, tenant_id: str) -> Rows:
    """Give a tenant a row of everything, and nothing else."""
    async with owner.transaction():
        await wipe(owner, tenant_id)
        rows = _new(tenant_id)
        await _standing(owner, rows)
        await _devices(owner, rows)
        numbers = await _alerts(owner, rows)
        return Rows(**vars(rows) | numbers | {"quarantine_id": await _refused(owner, rows)})


async def dump(owner: Conn, tenant_id: str) -> Dump:
    """Return every row of a tenant, of every table that has rows of tenants, as text."""
    tables = await owner.fetch(
        "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t"
        " USING (table_schema, table_name)"
        " WHERE c.table_schema = 'homeiq' AND c.column_name = 'tenant_id' AND t.table_type = 'BASE TABLE'"
    )
    found: Dump = {}
    for (table,) in tables:
        query = f"SELECT t::text FROM {table} t WHERE tenant_id = $1 ORDER BY 1"  # noqa: S608 - of the database
        found[table] = [text for (text,) in await owner.fetch(query, tenant_id)]
    return found


async def _standing(owner: Conn, rows: Rows) -> None:
    tenant, secret = rows.tenant_id, rows.secret
    await owner.execute(
        "INSERT INTO tenants (tenant_id, name, contact, auto_provision, provisioning_key_hash)"
        " VALUES ($1, $2, $2, true, $3) ON CONFLICT (tenant_id) DO UPDATE SET name = $2, contact = $2,"
        " status = 'ACTIVE', auto_provision = true, provisioning_key_hash = $3,"
        " messages_per_second = NULL, messages_burst = NULL",
        tenant,
        secret,
        digest(rows.provisioning_key),
    )
    tokens = [
        (rows.token, sorted(GRANTABLE)),
        *((lost, sorted(GRANTABLE - {one})) for one, lost in rows.lacking.items()),
    ]
    await owner.executemany(
        "INSERT INTO api_tokens (tenant_id, name, shown, token_hash, scopes) VALUES ($1, $2, $3, $4, $5)",
        [(tenant, secret, text[-6:], digest(text), scopes) for text, scopes in tokens],
    )
    await owner.execute(
        "INSERT INTO api_tokens (tenant_id, id, name, shown, token_hash, scopes) VALUES ($1, $2, $3, 'other', $4, $5)",
        tenant,
        rows.other_token_id,
        secret,
        digest(secret),
        ["devices:read"],
    )
    await owner.execute(
        "INSERT INTO subscriptions (tenant_id, id, kind, status, device_limit, term_end, plan, description)"
        " VALUES ($1, $2, 'MAIN', 'ACTIVE', 1000, $3, $4, $4)",
        tenant,
        rows.subscription_id,
        rows.term_end,
        secret,
    )
    await owner.execute(
        "INSERT INTO subscription_audit (tenant_id, subscription_id, event, actor, after)"
        " VALUES ($1, $2, 'CREATED', $3, $4)",
        tenant,
        rows.subscription_id,
        secret,
        {"plan": secret},
    )
    await owner.execute(
        "INSERT INTO subscription_reminders (tenant_id, subscription_id, term_end, days) VALUES ($1, $2, $3, 30)",
        tenant,
        rows.subscription_id,
        rows.term_end,
    )
    await owner.execute(
        "INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, response)"
        " VALUES ($1, 'kept', $2, 200, $3)",
        tenant,
        digest("request"),
        {"plan": secret},
    )


async def _devices(owner: Conn, rows: Rows) -> None:
    tenant, secret, device = rows.tenant_id, rows.secret, rows.device_id
    await owner.execute(
        "INSERT INTO ingest_devices (tenant_id, device_id, name, subscription_id, status, provisioned_by, token_hash,"
        " activation_hash, activation_expires_at, manufacturer, model, metadata, heartbeat_s)"
        " VALUES ($1, $2, $3, $4, 'ACTIVE', 'api', $5, $6, now() + interval '1 hour', $3, $3, $7, 60)",
        tenant,
        device,
        secret,
        rows.subscription_id,
        digest(rows.device_token),
        digest(rows.activation_code),
        {"note": secret},
    )
    await owner.execute(
        "INSERT INTO device_states (tenant_id, device_id, metrics, last_telemetry_at, last_seen_at)"
        " VALUES ($1, $2, $3, now(), now())",
        tenant,
        device,
        {"note": [secret, 1_790_000_000_000_000], "power": [1.5, 1_790_000_000_000_000]},
    )
    await owner.execute(
        "INSERT INTO ingest_counts (tenant_id, hour, outcome, messages, metrics, bytes)"
        " VALUES ($1, date_trunc('hour', now()), 'ACCEPTED', 3, 4, 5)",
        tenant,
    )
    await owner.execute(
        "INSERT INTO zigbee_devices (tenant_id, base_topic, ieee, friendly_name, type, updated_at)"
        " VALUES ($1, 'zigbee2mqtt', '0x01', $2, 'Router', now())",
        tenant,
        secret,
    )


async def _alerts(owner: Conn, rows: Rows) -> dict[str, Any]:
    tenant, secret, device = rows.tenant_id, rows.secret, rows.device_id
    await owner.execute(
        "INSERT INTO alert_rules (tenant_id, id, name, kind, metric, operator, threshold, description)"
        " VALUES ($1, $2, $3, 'THRESHOLD', 'power', 'GT', 1, $3)",
        tenant,
        rows.rule_id,
        secret,
    )
    await owner.execute(
        "INSERT INTO rule_states (tenant_id, rule_id, device_id, breached_since, value) VALUES ($1, $2, $3, now(), 2)",
        tenant,
        rows.rule_id,
        device,
    )
    alert_id = await owner.fetchval(
        "INSERT INTO alerts (tenant_id, cause, rule_id, kind, device_id, severity, summary, details, opened_at,"
        " last_at) VALUES ($1, $2, $3, 'THRESHOLD', $4, 3, $5, $6, now(), now()) RETURNING id",
        tenant,
        f"rule:{rows.rule_id}:{device}",
        rows.rule_id,
        device,
        secret,
        {"note": secret},
    )
    change = await owner.fetchval(
        "INSERT INTO alert_changes (tenant_id, alert_id, change, at, actor) VALUES ($1, $2, 'opened', now(), $3)"
        " RETURNING cursor",
        tenant,
        alert_id,
        secret,
    )
    await owner.executemany(
        "INSERT INTO integrations (tenant_id, id, name, kind, config, secrets) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (tenant, rows.integration_id, secret, "webhook", {"url": f"http://127.0.0.1:9/{secret}"}, [secret]),
            (tenant, rows.fetched_id, secret, "home_assistant", {}, []),
        ],
    )
    await owner.execute(
        "INSERT INTO alert_routes (tenant_id, id, integration_id, name) VALUES ($1, $2, $3, $4)",
        tenant,
        rows.route_id,
        rows.integration_id,
        secret,
    )
    told = (
        "INSERT INTO deliveries (tenant_id, route_id, integration_id, alert_id, change, change_cursor, payload, state)"
    )
    values = "VALUES ($1, $2, $3, $4, 'opened', $5, $6, $7) RETURNING id"
    of = (alert_id, change, {"summary": secret})
    dead = await owner.fetchval(f"{told} {values}", tenant, rows.route_id, rows.integration_id, *of, "DEAD")
    waiting = await owner.fetchval(f"{told} {values}", tenant, uuid4(), rows.fetched_id, *of, "PENDING")
    await owner.execute(
        "INSERT INTO delivery_attempts (tenant_id, delivery_id, number, at, ok, duration_s, error)"
        " VALUES ($1, $2, 1, now(), false, 1, $3)",
        tenant,
        dead,
        secret,
    )
    return {"alert_id": alert_id, "delivery_id": dead, "waiting_id": waiting}


async def _refused(owner: Conn, rows: Rows) -> int:
    payload = f'{{"metrics": {{"note": "{rows.secret}"}}}}'.encode()
    found: int = await owner.fetchval(
        "INSERT INTO quarantine (tenant_id, received_at, transport, topic, device_id, reason, detail, payload, size,"
        " authenticated) VALUES ($1, now(), 'http', $2, $3, 'DEVICE_INACTIVE', $4, $5, $6, true) RETURNING id",
        rows.tenant_id,
        f"tenant/{rows.tenant_id}/device/{rows.device_id}/telemetry",
        rows.device_id,
        rows.secret,
        payload,
        len(payload),
    )
    return found
