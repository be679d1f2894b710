"""The broker that the options tell of."""

import ssl
from pathlib import Path

import pytest

from homeiq_server.errors import Misconfigured
from homeiq_server.ingest.mqtt.broker import Broker, broker_of
from homeiq_server.options import Options, Secret


@pytest.mark.parametrize(
    ("url", "host", "port", "address"),
    [
        ("mqtt://broker", "broker", 1883, "mqtt://broker:1883"),
        ("mqtt://192.168.1.10:1884", "192.168.1.10", 1884, "mqtt://192.168.1.10:1884"),
        ("mqtts://broker", "broker", 8883, "mqtts://broker:8883"),
        ("mqtt://[fd00::1]", "fd00::1", 1883, "mqtt://[fd00::1]:1883"),
    ],
)
def test_the_address_names_host_and_port(url: str, host: str, port: int, address: str) -> None:
    broker = broker_of(Options(mqtt_url=url))
    assert broker is not None
    assert (broker.host, broker.port, broker.address) == (host, port, address)
    assert (broker.tls is not None) == url.startswith("mqtts:")


def test_without_an_address_there_is_none() -> None:
    assert broker_of(Options()) is None


def test_the_password_is_not_shown() -> None:
    broker = broker_of(Options(mqtt_url="mqtt://broker", mqtt_username="u", mqtt_password=Secret("the-secret")))
    assert isinstance(broker, Broker)
    assert "the-secret" not in repr(broker)


def test_the_certificate_is_checked_unless_told_otherwise() -> None:
    strict, careless = (
        broker_of(Options(mqtt_url="mqtts://broker", mqtt_verify_ssl=verify)) for verify in (True, False)
    )
    assert strict is not None
    assert strict.tls is not None
    assert (strict.tls.verify_mode, strict.tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert careless is not None
    assert careless.tls is not None
    assert (careless.tls.verify_mode, careless.tls.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_an_authority_that_cannot_be_read_is_a_setting_to_mend(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"mqtt_ca_cert cannot be used: .*ca\.pem"):
        broker_of(Options(mqtt_url="mqtts://broker", mqtt_ca_cert=path))
