"""The options of device ingest: how devices reach the server, what it takes of them, and where alerts go."""
# ruff: noqa: RUF009  # option() is dataclasses.field() with more words

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import checks as check
from .declaring import Secret, option, secret

type SmtpSecurity = Literal["starttls", "tls", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """What the server was told about devices that send to it."""

    ingest: bool = option(
        False,
        check.switch,
        "switch",
        "on or off",
        "Whether devices may send by MQTT and HTTP, with tenants, alerts and where these go; needs the store.",
    )
    mqtt_url: str | None = option(
        None,
        check.mqtt_url,
        "text",
        "an address such as mqtt://192.168.1.10:1883, or mqtts:// for TLS, without user and password",
        "The MQTT broker; not set: the one that Home Assistant's Supervisor knows, if any.",
    )
    mqtt_username: str | None = option(None, check.text, "text", "a user's name", "Belongs to mqtt_password.")
    mqtt_password: Secret | None = option(None, secret, "text", "a password", "Belongs to mqtt_username.")
    mqtt_verify_ssl: bool = option(
        True,
        check.switch,
        "switch",
        "on or off",
        "Whether the broker's certificate is checked; off is for a home network only.",
    )
    mqtt_ca_cert: Path | None = option(
        None,
        check.existing_file,
        "text",
        "the path of a file in PEM format, such as /ssl/ca.pem",
        "The certificate authority that signed the broker's certificate.",
    )
    mqtt_share: str | None = option(
        None,
        check.word,
        "text",
        "a word of letters, digits, - and _",
        "The name of a group of servers that share the messages of one broker and one database.",
    )
    zigbee2mqtt_topic: str | None = option(
        None,
        check.topic,
        "text",
        "a topic without wildcards, such as zigbee2mqtt",
        "The base topic of Zigbee2MQTT, to know more of its devices; not set: nothing is read of it.",
    )
    ingest_require_token: bool = option(
        True,
        check.switch,
        "switch",
        "on or off",
        "Whether devices of the home must show a token in MQTT messages; off trusts whoever the broker lets in.",
    )
    ingest_payload_bytes: int = option(
        16_384, check.whole_number(256, 262_144), "number", "a number of bytes from 256", "The largest message."
    )
    ingest_metrics: int = option(
        50, check.whole_number(1, 1_000), "number", "a number from 1 to 1000", "The most metrics in a message."
    )
    ingest_batch: int = option(
        100, check.whole_number(1, 1_000), "number", "a number from 1 to 1000", "The most messages of an HTTP batch."
    )
    ingest_device_rate: int = option(
        5, check.whole_number(1, 10_000), "number", "a number from 1", "How many messages a second a device may send."
    )
    ingest_device_burst: int = option(
        20, check.whole_number(1, 100_000), "number", "a number from 1", "How many a device may send at once."
    )
    ingest_tenant_rate: int = option(
        1_000,
        check.whole_number(1, 1_000_000),
        "number",
        "a number from 1",
        "How many messages a second all devices of a tenant may send; a tenant can have a limit of its own.",
    )
    ingest_tenant_burst: int = option(
        5_000, check.whole_number(1, 1_000_000), "number", "a number from 1", "How many they may send at once."
    )
    quarantine_kept: int = option(
        500,
        check.whole_number(0, 100_000),
        "number",
        "a number from 0",
        "How many refused messages of a tenant are kept for each reason; older ones go.",
    )
    quarantine_days: int = option(
        14, check.whole_number(1, 365), "number", "a number of days from 1", "How long refused messages are kept."
    )
    alert_days: int = option(
        365,
        check.whole_number(1, 3_650),
        "number",
        "a number of days from 1",
        "How long alerts that are over are kept.",
    )
    webhook_allow: tuple[str, ...] = option(
        (),
        check.list_of(check.network),
        "list",
        "a list of IP addresses and networks, such as 192.168.1.0/24",
        "Private addresses that webhooks may be sent to; none by default.",
    )
    smtp_host: str | None = option(None, check.text, "text", "a host name", "The mail server for alerts by email.")
    smtp_port: int = option(587, check.whole_number(1, 65535), "number", "a port number", "The mail server's port.")
    smtp_security: SmtpSecurity = option(
        "starttls",
        check.one_of("starttls", "tls", "off"),
        "text",
        "starttls, tls or off",
        "How the mail server is spoken to; off is for a home network only.",
    )
    smtp_username: str | None = option(None, check.text, "text", "a user's name", "Belongs to smtp_password.")
    smtp_password: Secret | None = option(None, secret, "text", "a password", "Belongs to smtp_username.")
    smtp_from: str | None = option(
        None, check.email, "text", "an email address", "Who alerts by email are from; needed with smtp_host."
    )


def of_ingest(given: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the key and the sentence of each combination in ``given`` that cannot work."""
    if given.get("ingest") in (True, "on", "true") and given.get("store") in (False, "off", "false"):
        yield "ingest", "needs the store, which is off"
    for name, password in (("mqtt_username", "mqtt_password"), ("smtp_username", "smtp_password")):
        if (name in given) != (password in given):
            yield password, f"and {name} are needed together"
    if "mqtt_url" not in given:
        for key in ("mqtt_username", "mqtt_ca_cert"):
            if key in given:
                yield key, "is for a broker at mqtt_url, which is not set"
    elif "mqtt_ca_cert" in given and not str(given["mqtt_url"]).startswith("mqtts:"):
        yield "mqtt_ca_cert", "is for TLS, but mqtt_url does not begin with mqtts:"
    if "mqtt_ca_cert" in given and given.get("mqtt_verify_ssl") in (False, "off", "false"):
        yield "mqtt_ca_cert", "is of no use, because mqtt_verify_ssl is off"
    if ("smtp_host" in given) != ("smtp_from" in given):
        yield "smtp_from", "and smtp_host are needed together"
