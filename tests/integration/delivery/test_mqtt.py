"""Alerts to a broker."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from homeiq_server.delivery import mqtt
from homeiq_server.delivery.message import Message, Outcome
from homeiq_server.delivery.mqtt import Mqtt
from homeiq_server.errors import RetryLater
from tests.unit.homeiq_server.delivery.messages import message, payload


@dataclass
class Broker:
    """Takes what is published, unless it is told to raise or to hang."""

    taken: list[tuple[str, Any, int, bool]] = field(default_factory=list)
    error: Exception | None = None
    hangs: bool = False

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        self.taken.append((topic, json.loads(payload), qos, retain))


def told(topic: str = "homeiq/{tenant_id}/alerts/{alert_id}", *, qos: int = 1, retain: bool = False) -> Message:
    return message("mqtt", {"topic": topic, "qos": qos, "retain": retain})


async def test_an_alert_is_published_below_the_tenants_topics() -> None:
    broker = Broker()
    assert await Mqtt(broker.publish).send(told(qos=0, retain=True)) == Outcome(ok=True)
    assert broker.taken == [("homeiq/home/alerts/7", payload(), 0, True)]


async def test_a_topic_that_was_kept_and_is_not_the_tenants_is_refused() -> None:
    broker = Broker()
    assert (await Mqtt(broker.publish).send(told("homeiq/other/alerts"))).final
    assert broker.taken == []


async def test_a_broker_that_is_away_is_tried_again_when_it_says() -> None:
    outcome = await Mqtt(Broker(error=RetryLater("the broker is away", after=9)).publish).send(told())
    assert outcome == Outcome(error="the broker is away", after_s=9)


async def test_a_broker_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "_TIMEOUT_S", 0.05)
    outcome = await Mqtt(Broker(hangs=True).publish).send(told())
    assert (outcome.ok, outcome.final) == (False, False)


async def test_without_a_broker_it_waits_for_one() -> None:
    outcome = await Mqtt(None).send(told())
    assert (outcome.ok, outcome.final) == (False, False)
