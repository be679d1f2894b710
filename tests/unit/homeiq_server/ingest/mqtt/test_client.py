"""What a broker says, in words of ours."""

import asyncio
import gc
import logging

import pytest
from gmqtt.mqtt.handler import MQTTConnectError  # type: ignore[import-untyped]

from homeiq_server.errors import Misconfigured, RetryLater
from homeiq_server.ingest.mqtt import answers
from homeiq_server.ingest.mqtt.answers import VersionRefused
from homeiq_server.ingest.mqtt.broker import Broker
from homeiq_server.ingest.mqtt.came import Came
from homeiq_server.ingest.mqtt.client import Connection


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, VersionRefused),
        (132, VersionRefused),
        (2, Misconfigured),
        (133, Misconfigured),
        (4, Misconfigured),
        (5, Misconfigured),
        (134, Misconfigured),
        (135, Misconfigured),
        (3, RetryLater),
        (136, RetryLater),
        (137, RetryLater),
        (159, RetryLater),
        (199, RetryLater),
    ],
)
def test_a_refusal_is_named_by_what_is_to_be_done(code: int, kind: type[Exception]) -> None:
    assert type(answers.refusal_of(str(MQTTConnectError(code)))) is kind


@pytest.mark.parametrize(
    ("properties", "token"),
    [
        ([("token", "t")], "t"),
        ([("X-Provision-Token", "t")], "t"),
        ([("other", "x"), ("TOKEN", "t"), ("token", "u")], "t"),
        ([("other", "x")], None),
        ([], None),
    ],
)
def test_a_token_is_shown_as_a_user_property(properties: list[tuple[str, str]], token: str | None) -> None:
    assert answers.token_of(properties) == token


def test_a_message_shows_neither_token_nor_payload() -> None:
    came = Came(
        "tenant/t/device/d/telemetry", b"the-secret", "the-secret", again=True, sent_before=False, retained=False
    )
    assert "the-secret" not in repr(came)


async def test_a_name_that_is_none_is_a_setting_to_mend_and_nobody_there_is_not(unused_tcp_port: int) -> None:
    for host, kind in (("x" * 64 + ".invalid", Misconfigured), ("127.0.0.1", RetryLater)):
        broker = Broker(host=host, port=unused_tcp_port)
        connection = Connection(
            broker, client_id="c", version="5", window=10, on_known=lambda: None, on_lost=lambda: None
        )
        with pytest.raises(kind):
            await connection.open()
        await connection.close()
    gc.collect()
    assert len(asyncio.all_tasks()) == 1


def test_gmqtt_logs_nothing() -> None:
    for name in ("gmqtt", "gmqtt.client", "gmqtt.mqtt.handler", "gmqtt.mqtt.protocol", "gmqtt.mqtt.package"):
        assert not logging.getLogger(name).isEnabledFor(logging.CRITICAL)
