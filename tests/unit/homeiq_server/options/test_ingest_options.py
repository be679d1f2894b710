"""The options of device ingest: what each of them takes, and what cannot work together."""

from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol

from homeiq_server.options import Options, checks, contradictions, declared
from homeiq_server.options.checks import Check

URL = "mqtt://192.168.1.10:1883"


@pytest.mark.parametrize(
    ("check", "value", "kept"),
    [
        (checks.mqtt_url, URL, URL),
        (checks.mqtt_url, "mqtt://broker", "mqtt://broker"),
        (checks.mqtt_url, "mqtts://broker.example:8883/", "mqtts://broker.example:8883"),
        (checks.mqtt_url, "mqtt://[fd00::1]:1883", "mqtt://[fd00::1]:1883"),
        (checks.word, "home_1-a", "home_1-a"),
        (checks.word, "x" * 64, "x" * 64),
        (checks.topic, "zigbee2mqtt", "zigbee2mqtt"),
        (checks.topic, "house/upper floor/zigbee", "house/upper floor/zigbee"),
        (checks.network, "192.168.1.0/24", "192.168.1.0/24"),
        (checks.network, "192.168.1.7", "192.168.1.7/32"),
        (checks.network, "fd00::/8", "fd00::/8"),
        (checks.email, "homeiq@example.org", "homeiq@example.org"),
        (checks.email, "a.b+c@localhost", "a.b+c@localhost"),
    ],
)
def test_a_good_value_is_taken_in_the_form_in_which_it_is_used(check: Check[str], value: str, kept: str) -> None:
    assert check(value) == kept


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.mqtt_url, "192.168.1.10:1883"),
        (checks.mqtt_url, "http://broker"),
        (checks.mqtt_url, "ws://broker"),
        (checks.mqtt_url, "mqtt://"),
        (checks.mqtt_url, "mqtt://broker:0"),
        (checks.mqtt_url, "mqtt://broker:port"),
        (checks.mqtt_url, "mqtt://broker:70000"),
        (checks.mqtt_url, "mqtt://[fd00::1"),
        (checks.mqtt_url, "mqtt://broker/topic"),
        (checks.mqtt_url, "mqtt://broker?a=b"),
        (checks.mqtt_url, "mqtt://geheim@broker"),
        (checks.mqtt_url, "mqtt://user:geheim@broker"),
        (checks.mqtt_url, "mqtt://broker\n"),
        (checks.mqtt_url, 1883),
        (checks.word, "a/b"),
        (checks.word, "+"),
        (checks.word, "ä"),
        (checks.word, "a b"),
        (checks.word, ""),
        (checks.word, "x" * 65),
        (checks.word, True),
        (checks.topic, "zigbee2mqtt/#"),
        (checks.topic, "+/bridge"),
        (checks.topic, "$SYS"),
        (checks.topic, "/zigbee2mqtt"),
        (checks.topic, "zigbee2mqtt/"),
        (checks.topic, "a\x00b"),
        (checks.topic, 5),
        (checks.network, "192.168.1.1/24"),  # of a host, not of its network
        (checks.network, "192.168.1"),
        (checks.network, "localhost"),
        (checks.network, "10.0.0.0/33"),
        (checks.network, 10),
        (checks.email, "homeiq"),
        (checks.email, "@example.org"),
        (checks.email, "a@b@example.org"),
        (checks.email, "HomeIQ <a@example.org>"),
        (checks.email, "a@example.org\nBcc: b@example.org"),
        (checks.email, None),
    ],
)
def test_a_bad_value_is_refused_and_not_repeated(check: Check[str], value: object) -> None:
    with pytest.raises(vol.Invalid) as caught:
        check(value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ({"ingest": True, "store": False}, ["ingest"]),
        ({"ingest": "on", "store": "off"}, ["ingest"]),
        ({"mqtt_url": URL, "mqtt_username": "u"}, ["mqtt_password"]),
        ({"mqtt_url": URL, "mqtt_password": "p"}, ["mqtt_password"]),
        ({"smtp_host": "h", "smtp_from": "a@b", "smtp_username": "u"}, ["smtp_password"]),
        ({"mqtt_username": "u", "mqtt_password": "p"}, ["mqtt_username"]),
        ({"mqtt_ca_cert": "/ssl/ca.pem"}, ["mqtt_ca_cert"]),
        ({"mqtt_url": URL, "mqtt_ca_cert": "/ssl/ca.pem"}, ["mqtt_ca_cert"]),
        ({"smtp_host": "h"}, ["smtp_from"]),
        ({"smtp_from": "a@b"}, ["smtp_from"]),
    ],
)
def test_what_cannot_work_together_is_named_by_the_option_to_change(given: dict[str, Any], keys: list[str]) -> None:
    faults = list(contradictions(given))
    assert [key for key, _ in faults] == keys
    assert all(sentence for _, sentence in faults)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ingest": True},
        {"ingest": "on", "store": "on"},
        {"ingest": False, "store": False},
        {"mqtt_url": URL},
        {"mqtt_url": URL, "mqtt_username": "u", "mqtt_password": "p"},
        {"mqtt_url": "mqtts://broker", "mqtt_ca_cert": "/ssl/ca.pem"},
        {"smtp_host": "h", "smtp_from": "a@b"},
        {"smtp_host": "h", "smtp_from": "a@b", "smtp_username": "u", "smtp_password": "p"},
    ],
)
def test_what_works_together_is_taken(given: dict[str, Any]) -> None:
    assert list(contradictions(given)) == []


def test_without_being_asked_nothing_is_let_in_and_nothing_private_is_reached() -> None:
    options = Options(data_dir=Path("/nowhere"))
    assert (options.ingest, options.ingest_require_token, options.mqtt_verify_ssl) == (False, True, True)
    assert (options.webhook_allow, options.smtp_security) == ((), "starttls")


def test_passwords_are_shown_nowhere() -> None:
    for name in ("mqtt_password", "smtp_password"):
        kept: Any = next(option for option in declared() if option.name == name).check("geheim")
        shown: dict[str, Any] = {name: kept}
        assert "geheim" not in f"{kept!r} {kept!s} {Options(**shown)!r}"
        assert kept.reveal() == "geheim"
