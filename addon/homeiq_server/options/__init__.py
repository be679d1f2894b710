"""Every option of the server: its name, what a value looks like, what it means; and one frozen value of them all.

Where options come from is in ``sources.py``, what a value may be in ``checks.py``.
"""
# ruff: noqa: RUF009  # option() is dataclasses.field() with more words

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import voluptuous as vol

from homeiq_server.history.points.settings import EXTRA_TAGS, MEASUREMENT_ATTRS, SCHEMAS, ExtraTag, Naming, SchemaName
from homeiq_server.history.spool import WhenFull

from . import checks as check
from .declaring import Declared, Secret, option, secret, secret_url
from .ingest import IngestOptions, of_ingest

__all__ = ["MEBIBYTE", "Component", "Declared", "Options", "Secret", "contradictions", "declared"]

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """How core's ``component_config`` treats the entities that a pattern names.

    Attributes:
        match: ``entity``, ``domain`` or ``glob``: what ``name`` is, and which of core's three tables this is a row of.
        name: An entity id, a domain, or a pattern of entity ids.
        override_measurement: The measurement for all of them.
        ignore_attributes: Attributes that are not stored.
    """

    match: str
    name: str
    override_measurement: str | None = None
    ignore_attributes: frozenset[str] | None = None


_NAMES: Final = vol.All(check.list_of(check.text), vol.Coerce(frozenset))


def core_naming(value: object) -> Naming:
    """Accept the table ``core``."""
    schema = vol.Schema(
        {
            "measurement_attr": check.one_of(*MEASUREMENT_ATTRS),
            "default_measurement": check.text,
            "override_measurement": check.text,
            "tags": vol.All(check.list_of(check.tag), vol.Coerce(dict)),
            "tags_attributes": _NAMES,
            "ignore_attributes": _NAMES,
        }
    )
    return Naming(**schema(value))


def component(value: object) -> Component:
    """Accept one row of ``core_components``."""
    schema = vol.Schema(
        {
            vol.Required("match", msg="match is missing"): check.one_of("entity", "domain", "glob"),
            vol.Required("name", msg="name is missing"): check.text,
            "override_measurement": check.text,
            "ignore_attributes": _NAMES,
        }
    )
    return Component(**schema(value))


_PORT: Final = "a port number from 0 to 65535 (0: any that is free)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(IngestOptions):
    """What the server was told, checked once; every part trusts it."""

    data_dir: Path = option(
        Path("~/.local/share/homeiq"),
        check.folder,
        "text",
        "a folder, such as /data/homeiq",
        "Where the spool, the token and the embedded database are kept.",
    )
    host: str = option(
        "127.0.0.1",
        check.text,
        "text",
        "an address of this machine, such as 0.0.0.0 for all",
        "Where the API listens; it asks for the token.",
    )
    port: int = option(8098, check.whole_number(0, 65535), "number", _PORT, "The API's port.")
    ingress_host: str = option(
        "127.0.0.1",
        check.text,
        "text",
        "an address of this machine, such as 0.0.0.0 for all",
        "Where the web page listens; it asks for no token, but answers one peer only.",
    )
    ingress_port: int = option(8099, check.whole_number(0, 65535), "number", _PORT, "The web page's port.")
    ingress_peer: str = option(
        "127.0.0.1",
        check.ip_address,
        "text",
        "an IP address, such as 172.30.32.2, the Supervisor's",
        "The only peer that the web page answers.",
    )
    log_level: str = option(
        "info",
        check.one_of("debug", "info", "warning", "error"),
        "text",
        "debug, info, warning or error",
        "How much is logged.",
    )
    history: bool = option(
        True,
        check.switch,
        "switch",
        "on or off",
        "Whether state changes are kept; off: they are counted as skipped.",
    )
    influx_url: str | None = option(
        None,
        check.http_url,
        "text",
        "an http or https address without user and password, such as http://192.168.1.10:8086",
        "The database to write to; not set: the embedded VictoriaMetrics.",
    )
    influx_token: Secret | None = option(
        None,
        secret,
        "text",
        "an API token that may write to the bucket",
        "For InfluxDB 2, 3 and Cloud, instead of user and password.",
    )
    influx_username: str | None = option(
        None,
        check.text,
        "text",
        "a user's name",
        "For InfluxDB 1, and for a VictoriaMetrics behind a proxy that asks for a password.",
    )
    influx_password: Secret | None = option(None, secret, "text", "a password", "Belongs to influx_username.")
    influx_org: str | None = option(
        None, check.text, "text", "the name of an organisation", "Needed by InfluxDB 2 and Cloud."
    )
    influx_bucket: str | None = option(
        None,
        check.bucket,
        "text",
        "the name of a bucket (InfluxDB 1 and 3: of a database, such as homeassistant) without quotes",
        "Where in the database; InfluxDB 1 also takes database/retention policy, VictoriaMetrics needs none.",
    )
    verify_ssl: bool = option(
        True,
        check.switch,
        "switch",
        "on or off",
        "Whether the database's certificate is checked; off is for a home network only.",
    )
    ssl_ca_cert: Path | None = option(
        None,
        check.existing_file,
        "text",
        "the path of a file in PEM format, such as /ssl/ca.pem",
        "The certificate authority that signed the database's certificate.",
    )
    retention: str = option(
        "10y",
        check.retention,
        "text",
        "a whole number with d, w or y for days, weeks or years, such as 10y",
        "How long the embedded database keeps what it is given.",
    )
    schema: SchemaName = option(
        "core",
        check.one_of(*SCHEMAS),
        "text",
        "core or events",
        "Which points are written: those of Home Assistant's own influxdb integration, or one wide row an event.",
    )
    extra_tags: tuple[ExtraTag, ...] = option(
        (),
        check.list_of(check.one_of(*EXTRA_TAGS)),
        "list",
        "a list of area, device, integration",
        "Tags that the core schema adds to every point.",
    )
    gap_markers: bool = option(
        False,
        check.switch,
        "switch",
        "on or off",
        "Whether the core schema stores unavailable, unknown and removed as a state.",
    )
    spool_limit_mb: int | None = option(
        None,
        check.whole_number(16, 1_048_576),
        "number",
        "a number of MiB from 16",
        "The most disk that waiting lines may take; not set: the smaller of 1024 and a fifth of the free disk.",
    )
    when_full: WhenFull = option(
        "refuse",
        check.one_of("refuse", "drop_oldest"),
        "text",
        "refuse or drop_oldest",
        "When so much waits: new events wait in Home Assistant, or the oldest lines are dropped and kept as a gap.",
    )
    drain_lines_per_second: int = option(
        20_000,
        check.whole_number(100, 10_000_000),
        "number",
        "a number of lines a second from 100",
        "The most that the database is sent while a backlog drains.",
    )
    victoria_metrics: Path | None = option(
        None,
        check.existing_file,
        "text",
        "the path of a program",
        "The embedded database's program; not set: victoria-metrics on the PATH.",
    )
    store: bool = option(
        True,
        check.switch,
        "switch",
        "on or off",
        "Whether devices, their health and findings are kept; off: history alone.",
    )
    database_url: Secret | None = option(
        None,
        secret_url,
        "text",
        "an address such as postgresql://homeiq:password@192.168.1.10:5432/homeiq",
        "The PostgreSQL database to keep devices and findings in; not set: the app's own.",
    )
    database_owner_url: Secret | None = option(
        None,
        secret_url,
        "text",
        "the address of the same database with the role that owns its tables",
        "Needed with database_url: this role makes and changes the tables, which that one may not.",
    )
    database_verify_ssl: bool = option(
        True,
        check.switch,
        "switch",
        "on or off",
        "Whether database_url is reached by TLS with a certificate that is checked; off is for a home network only.",
    )
    database_ca_cert: Path | None = option(
        None,
        check.existing_file,
        "text",
        "the path of a file in PEM format, such as /ssl/ca.pem",
        "The certificate authority that signed the certificate of database_url.",
    )
    hourly_days: int = option(
        30,
        check.whole_number(1, 3_650),
        "number",
        "a number of days from 1",
        "How long the hourly figures of each number are kept for the plots of devices.",
    )
    postgresql: Path | None = option(
        None,
        check.existing_folder,
        "text",
        "the folder of PostgreSQL's programs, such as /usr/lib/postgresql/17/bin",
        "The app's own PostgreSQL; not set: the one on the PATH, or the newest in /usr/lib/postgresql.",
    )
    cors_origins: tuple[str, ...] = option(
        (),
        check.list_of(check.origin),
        "list",
        "a list of web origins, such as https://grafana.example:3000",
        "Web pages of other origins that may use the API; none by default.",
    )
    core: Naming = option(
        Naming(),
        core_naming,
        "table",
        "a table of measurement_attr, default_measurement, override_measurement, tags (name=value), tags_attributes,"
        " ignore_attributes",
        "Naming options of Home Assistant's own influxdb integration, by their own names.",
    )
    core_components: tuple[Component, ...] = option(
        (),
        check.list_of(component),
        "list",
        "a list of tables of match (entity, domain or glob), name, override_measurement, ignore_attributes",
        "That integration's component_config, component_config_domain and component_config_glob.",
    )


def declared() -> Iterator[Declared]:
    """Yield every option as it was declared above."""
    last = {one.name for one in fields(IngestOptions)}
    for one in sorted(fields(Options), key=lambda one: one.name in last):
        yield Declared(name=one.name, default=_shown(one.default), **one.metadata)


def _shown(default: object) -> str:
    match default:
        case None:
            return "not set"
        case bool():
            return "on" if default else "off"
        case () | Naming():
            return "none"
        case _:
            return str(default)


def contradictions(given: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the key and the sentence of each combination in ``given`` that cannot work."""
    yield from _of_influx(given)
    yield from _of_store(given)
    yield from of_ingest(given)


def _of_influx(given: dict[str, object]) -> Iterator[tuple[str, str]]:
    if ("influx_username" in given) != ("influx_password" in given):
        yield "influx_password", "and influx_username are needed together"
    if "influx_url" not in given:
        for key in ("influx_token", "influx_username", "influx_org", "influx_bucket", "ssl_ca_cert"):
            if key in given:
                yield key, "is for a database at influx_url, which is not set"
        return
    if "influx_token" in given and "influx_username" in given:
        yield "influx_username", "is for a database without a token, but influx_token is set"
    if "influx_token" in given and "influx_bucket" not in given:
        yield "influx_bucket", "is missing: a database with a token needs to know where to write"
    if "influx_org" in given and "influx_token" not in given:
        yield "influx_token", "is missing: a database with organisations needs one"
    if "ssl_ca_cert" in given and not str(given["influx_url"]).startswith("https:"):
        yield "ssl_ca_cert", "is for https, but influx_url is an http address"


def _of_store(given: dict[str, object]) -> Iterator[tuple[str, str]]:
    if "database_url" not in given:
        for key in ("database_owner_url", "database_ca_cert"):
            if key in given:
                yield key, "is for a database at database_url, which is not set"
    elif "database_owner_url" not in given:
        yield "database_owner_url", "is missing: the role of database_url may not make the tables that it uses"
    elif given["database_url"] == given["database_owner_url"]:
        yield (
            "database_owner_url",
            "is the same as database_url: a role that owns the tables could bypass what they forbid",
        )
    if "database_ca_cert" in given and given.get("database_verify_ssl") in (False, "off", "false"):
        yield "database_ca_cert", "is of no use, because database_verify_ssl is off"
