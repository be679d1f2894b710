"""Which MQTT topic an alert is published to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.delivery.topic import check_template, topic_of
from homeiq_server.errors import Rejected

ALERT: dict[str, Any] = {
    "id": 7,
    "change": "opened",
    "kind": "THRESHOLD",
    "severity": 5,
    "severity_name": "critical",
    "device_id": "pump-1",
    "site_id": None,
}


@pytest.mark.parametrize(
    ("template", "topic"),
    [
        ("homeiq/{tenant_id}/alerts/{alert_id}", "homeiq/acme/alerts/7"),
        ("tenant/{tenant_id}/alerts/{severity_name}/{change}", "tenant/acme/alerts/critical/opened"),
        ("homeiq/{tenant_id}/{kind}/{severity}/{device_id}/{site_id}", "homeiq/acme/THRESHOLD/5/pump-1/none"),
    ],
)
def test_names_in_braces_are_the_alerts(template: str, topic: str) -> None:
    assert topic_of(template, "acme", ALERT) == topic


@pytest.mark.parametrize(
    "template",
    [
        "alerts",
        "homeiq/other/alerts",
        "homeiq/{tenant_id}",
        "homeiq/{tenant_id}/",
        "homeiq/{tenant_id}/+",
        "homeiq/{tenant_id}/#",
        "homeiq/{tenant_id}//x",
        "homeiq/{tenant_id}/\x00",
        "homeiq/{tenant_id}/\n",
        "homeiq/{tenant_id}/{password}",
        "homeiq/{tenant_id}/{kind.__class__}",
        "homeiq/{tenant_id}/{kind!r}",
        "homeiq/{tenant_id}/{kind:>100000000}",
        "homeiq/{tenant_id}/{",
        "homeiq/{tenant_id}/{}",
        "homeiq/{kind}/x",
        "$SYS/{tenant_id}/x",
        "tenant/{tenant_id}/device/pump/telemetry",
        "/homeiq/{tenant_id}/x",
    ],
)
def test_a_template_that_could_leave_the_tenants_topics_is_refused(template: str) -> None:
    with pytest.raises(Rejected):
        check_template(template)


def test_an_alert_is_never_published_as_the_word_of_a_device() -> None:
    with pytest.raises(Rejected, match="comes from devices"):
        topic_of("tenant/{tenant_id}/{device_id}/x/telemetry", "acme", ALERT | {"device_id": "device"})


@given(*3 * [st.text(max_size=50)])
def test_no_value_of_an_alert_leaves_its_place_in_the_topic(device_id: str, site_id: str, kind: str) -> None:
    alert = ALERT | {"device_id": device_id, "site_id": site_id, "kind": kind}
    topic = topic_of("homeiq/{tenant_id}/{site_id}/{device_id}/{kind}/end", "acme", alert)
    assert len(topic.split("/")) == 6
    assert topic.startswith("homeiq/acme/")
    assert topic.endswith("/end")
    assert not set(topic) & set("+#\x00")
    assert "//" not in topic


def test_a_topic_that_no_broker_would_take_is_refused() -> None:
    with pytest.raises(Rejected, match="longer"):
        topic_of("homeiq/{tenant_id}/{device_id}", "acme", ALERT | {"device_id": "x" * 1_001})
