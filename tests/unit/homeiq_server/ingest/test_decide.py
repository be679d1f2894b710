"""What becomes of a message, by table."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.credentials import digest
from homeiq_server.ingest.case import Case
from homeiq_server.ingest.decide import STRANGER, Decider, Standing, Verdict
from homeiq_server.ingest.limits import Limits
from homeiq_server.ingest.message import NOBODY, Accepted, Inbound, Reason, Refused
from homeiq_server.options import Options
from homeiq_server.store.known import KnownDevice, KnownTenant
from homeiq_server.store.provisioning import NewDevice
from tests.unit.homeiq_server.ingest_builders import KEY, NOW_US, TOKEN, Clock, device, inbound, tenant

LIMITS = Limits(payload_bytes=2_000, metrics=3)
MANY = Limits(device_rate=1, device_burst=1)


def decide(
    message: Inbound,
    of: KnownTenant | None = None,
    known: KnownDevice | Standing | None = None,
    *,
    limits: Limits = LIMITS,
    times: int = 1,
) -> Verdict:
    """Return the last of several decisions about the same message, by default of a known device."""
    decider = Decider(limits, clock=Clock())
    standing = known if isinstance(known, Standing) else Standing(known or device())
    verdicts = [decider.decide(Case.of(message, limits), of or tenant(), standing) for _ in range(times)]
    return verdicts[-1]


def refused(verdict: Verdict) -> Refused:
    assert isinstance(verdict, Refused), verdict
    return verdict


def accepted(verdict: Verdict) -> Accepted:
    assert isinstance(verdict, Accepted), verdict
    return verdict


def body(**members: object) -> dict[str, object]:
    return {"metrics": {"t": 1}} | members


OPEN = tenant(auto_provision=True, provisioning_key_hash=digest(KEY))
CLOSED = tenant(provisioning_key_hash=digest(KEY))

REFUSALS: list[tuple[Reason, str, dict[str, Any]]] = [
    (Reason.PAYLOAD_TOO_LARGE, "over the limit", {"message": inbound(b" " * 2_001)}),
    (Reason.BAD_TOPIC_FORMAT, "no topic", {"message": inbound(topic="")}),
    (Reason.BAD_TOPIC_FORMAT, "a part too many", {"message": inbound(topic="tenant/acme/device/d1/shadow/reported")}),
    (Reason.BAD_TOPIC_FORMAT, "capital tenant", {"message": inbound(topic="tenant/Acme/device/d1/telemetry")}),
    (Reason.BAD_TOPIC_FORMAT, "line break", {"message": inbound(topic="tenant/acme/device/d1/telemetry\n")}),
    (Reason.BAD_TOPIC_FORMAT, "the longest there is", {"message": inbound(topic="tenant/" + "a" * 65_000)}),
    (Reason.BAD_TOPIC_FORMAT, "nobody's own", {"message": inbound(topic="tenant/-/device/d1/telemetry")}),
    (Reason.INVALID_ENCODING, "a lone byte", {"message": inbound(b"\xff")}),
    (Reason.INVALID_ENCODING, "in a text", {"message": inbound(b'{"metrics":{"t":"\xff"}}')}),
    (Reason.INVALID_JSON, "cut off", {"message": inbound(b"{")}),
    (Reason.INVALID_JSON, "nothing", {"message": inbound(b"")}),
    (Reason.INVALID_JSON, "not a number", {"message": inbound(b'{"metrics":{"t":NaN}}')}),
    (Reason.INVALID_JSON, "infinity", {"message": inbound(b'{"metrics":{"t":-Infinity}}')}),
    (Reason.INVALID_JSON, "a number beyond all", {"message": inbound(b'{"metrics":{"t":1e999}}')}),
    (Reason.INVALID_JSON, "half a pair", {"message": inbound(b'{"metrics":{"t":"\\ud800 "}}')}),
    (Reason.INVALID_JSON, "deep", {"message": inbound(b"[" * 65_536), "limits": Limits(payload_bytes=70_000)}),
    (Reason.NOT_OBJECT, "a list", {"message": inbound(b"[]")}),
    (Reason.NOT_OBJECT, "a number", {"message": inbound(b"1")}),
    (Reason.UNSUPPORTED_VERSION, "two", {"message": inbound(body(version="2"))}),
    (Reason.UNSUPPORTED_VERSION, "true is not 1", {"message": inbound(body(version=True))}),
    (Reason.UNSUPPORTED_VERSION, "a list", {"message": inbound(body(version=["1"]))}),
    (Reason.TENANT_MISMATCH, "another", {"message": inbound(body(tenant_id="other"))}),
    (Reason.TENANT_MISMATCH, "no text", {"message": inbound(body(tenant_id=["acme"]))}),
    (Reason.DEVICE_MISMATCH, "another", {"message": inbound(body(device_id="d2"))}),
    (Reason.UNKNOWN_TENANT, "deleted", {"message": inbound(), "of": tenant(status="DELETED")}),
    (Reason.TENANT_SUSPENDED, "suspended", {"message": inbound(), "of": tenant(status="SUSPENDED")}),
    (Reason.TOKEN_MISSING, "none", {"message": inbound(token=None)}),
    (Reason.TOKEN_INVALID, "wrong", {"message": inbound(token="hid_another")}),
    (Reason.TOKEN_INVALID, "empty", {"message": inbound(token="")}),
    (Reason.TOKEN_INVALID, "no text", {"message": inbound(body(token=5), token=None)}),
    (Reason.TOKEN_INVALID, "the key is no device's token", {"message": inbound(token=KEY), "of": OPEN}),
    (Reason.TOKEN_INVALID, "not the key", {"message": inbound(token="hik_x"), "of": OPEN, "known": STRANGER}),
    (
        Reason.TOKEN_INVALID,
        "not the key of one that has no token",
        {"message": inbound(), "of": OPEN, "known": device(token_hash=None, provisioned_by="key")},
    ),
    (
        Reason.TOKEN_INVALID,
        "nothing to show it against",
        {"message": inbound(), "known": device(token_hash=None)},
    ),
    (Reason.RATE_LIMITED_DEVICE, "the second", {"message": inbound(), "limits": MANY, "times": 2}),
    (
        Reason.RATE_LIMITED_TENANT,
        "the second of any",
        {"message": inbound(), "limits": Limits(tenant_rate=1, tenant_burst=1), "times": 2},
    ),
    (
        Reason.RATE_LIMITED_TENANT,
        "by a limit of his own",
        {"message": inbound(), "of": tenant(messages_per_second=0.5, messages_burst=2), "times": 3},
    ),
    (Reason.UNREGISTERED_DEVICE, "a stranger", {"message": inbound(), "known": STRANGER}),
    (Reason.UNREGISTERED_DEVICE, "with the key", {"message": inbound(token=KEY), "of": CLOSED, "known": STRANGER}),
    (Reason.UNREGISTERED_DEVICE, "deleted", {"message": inbound(), "known": device(status="DELETED")}),
    (
        Reason.NO_SUBSCRIPTION_CAPACITY,
        "no place",
        {"message": inbound(token=KEY), "of": OPEN, "known": Standing(None, "NO_SUBSCRIPTION_CAPACITY")},
    ),
    (
        Reason.NO_SUBSCRIPTION_CAPACITY,
        "a place was taken away",
        {"message": inbound(), "known": device(subscription_status=None)},
    ),
    (
        Reason.SUBSCRIPTION_SUSPENDED,
        "suspended",
        {"message": inbound(), "known": device(subscription_status="SUSPENDED")},
    ),
    (Reason.SUBSCRIPTION_EXPIRED, "expired", {"message": inbound(), "known": device(subscription_status="EXPIRED")}),
    (
        Reason.DEVICE_PENDING,
        "without a token yet",
        {"message": inbound(), "known": device(status="PENDING", token_hash=None)},
    ),
    (Reason.DEVICE_INACTIVE, "inactive", {"message": inbound(), "known": device(status="INACTIVE")}),
    (Reason.DEVICE_REVOKED, "revoked", {"message": inbound(), "known": device(status="REVOKED")}),
    (
        Reason.DEVICE_REVOKED,
        "and its token and place taken",
        {"message": inbound(), "known": device(status="REVOKED", token_hash=None, subscription_status=None)},
    ),
    (Reason.SITE_MISMATCH, "another site", {"message": inbound(body(site_id="south"))}),
    (Reason.MALFORMED, "metrics are a list", {"message": inbound({"metrics": [1]})}),
    (Reason.MALFORMED, "a plain table within", {"message": inbound({"t": 1, "more": {}})}),
    (Reason.MALFORMED, "another type", {"message": inbound(body(msg_type="heartbeat"))}),
    (Reason.MALFORMED, "half a position", {"message": inbound(body(lat=1.0))}),
    (Reason.MALFORMED, "beyond the pole", {"message": inbound(body(latitude=91, longitude=0))}),
    (
        Reason.MALFORMED,
        "a new device at a site that cannot be",
        {"message": inbound(body(site_id="a b"), token=KEY), "of": OPEN, "known": STRANGER},
    ),
    (Reason.TOO_MANY_METRICS, "four", {"message": inbound({"metrics": dict.fromkeys("abcd", 1)})}),
    (Reason.TOO_MANY_METRICS, "four plain ones", {"message": inbound(dict.fromkeys("abcd", 1))}),
    (Reason.METRIC_KEY_INVALID, "empty", {"message": inbound({"metrics": {"": 1}})}),
    (Reason.METRIC_KEY_INVALID, "long", {"message": inbound({"metrics": {"k" * 129: 1}})}),
    (Reason.METRIC_KEY_INVALID, "two lines", {"message": inbound({"metrics": {"a\nb": 1}})}),
    (
        Reason.METRIC_KEY_INVALID,
        "of a new device",
        {"message": inbound({"": 1}, token=KEY), "of": OPEN, "known": STRANGER},
    ),
    (Reason.METRIC_VALUE_INVALID, "null", {"message": inbound({"metrics": {"t": None}})}),
    (Reason.METRIC_VALUE_INVALID, "plain null", {"message": inbound({"t": None})}),
    (Reason.METRIC_VALUE_INVALID, "a list", {"message": inbound({"metrics": {"t": [1]}})}),
    (Reason.METRIC_VALUE_INVALID, "long", {"message": inbound({"metrics": {"t": "x" * 256}})}),
    (Reason.METRIC_VALUE_INVALID, "NUL", {"message": inbound({"metrics": {"t": "a\x00"}})}),
    (Reason.METRIC_VALUE_INVALID, "huge", {"message": inbound({"metrics": {"t": 10**400}})}),
]


@pytest.mark.parametrize(("reason", "given"), [pytest.param(r, g, id=f"{r}: {why}") for r, why, g in REFUSALS])
def test_a_message_is_refused_for_its_own_reason_alone(reason: Reason, given: dict[str, Any]) -> None:
    assert refused(decide(given["message"], given.get("of"), given.get("known"), **_others(given))).reason == reason


def _others(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key in ("limits", "times")}


def test_every_reason_has_a_message_that_gets_it() -> None:
    assert {reason for reason, _, _ in REFUSALS} == set(Reason)


def test_the_first_check_that_fails_gives_the_reason() -> None:
    """All faults at once, then one after the other is mended."""
    limits = dataclasses.replace(LIMITS, device_burst=1)
    decider = Decider(limits, clock=Clock())
    first = {"tenant_id": "other", "device_id": "other", "version": "2", "site_id": "south", "metrics": {"": None}}
    state: dict[str, Any] = {
        "message": inbound(b"\xff" * 2_001, topic="tenant", token="hid_another"),
        "tenant": None,
        "device": device(status="REVOKED", subscription_status="EXPIRED"),
    }
    decider.decide(Case.of(inbound(), limits), tenant(), Standing(device()))  # its rate is used up

    def reason() -> Reason:
        case = Case.of(state["message"], limits)
        return refused(decider.decide(case, state["tenant"], Standing(state["device"]))).reason

    def send(payload: object, **more: Any) -> None:  # noqa: ANN401 - fields of a message
        state["message"] = inbound(payload, **{"token": state["message"].token, "topic": state["message"].topic} | more)

    assert reason() == Reason.PAYLOAD_TOO_LARGE
    send(b"\xff")
    assert reason() == Reason.BAD_TOPIC_FORMAT
    send(b"\xff", topic="tenant/acme/device/d1/telemetry")
    assert reason() == Reason.INVALID_ENCODING
    send(b"[")
    assert reason() == Reason.INVALID_JSON
    send(b"[]")
    assert reason() == Reason.NOT_OBJECT
    send(first)
    assert reason() == Reason.UNSUPPORTED_VERSION
    send(first | {"version": "1"})
    assert reason() == Reason.TENANT_MISMATCH
    send(first | {"version": 1, "tenant_id": "acme"})
    assert reason() == Reason.DEVICE_MISMATCH
    rest = {"site_id": "south", "metrics": {"": None}}
    send(rest)
    assert reason() == Reason.UNKNOWN_TENANT
    state["tenant"] = tenant(status="SUSPENDED")
    assert reason() == Reason.TOKEN_INVALID
    send(rest, token=TOKEN)
    assert reason() == Reason.RATE_LIMITED_DEVICE
    decider = Decider(LIMITS, clock=Clock())
    assert reason() == Reason.TENANT_SUSPENDED
    state["tenant"] = tenant()
    assert reason() == Reason.SUBSCRIPTION_EXPIRED
    state["device"] = device(status="REVOKED")
    assert reason() == Reason.DEVICE_REVOKED
    state["device"] = device()
    assert reason() == Reason.SITE_MISMATCH
    send({"metrics": {"": None}})
    assert reason() == Reason.METRIC_KEY_INVALID
    send({"metrics": {"t": None}})
    assert reason() == Reason.METRIC_VALUE_INVALID


@pytest.mark.parametrize("status", ["TRIAL", "ACTIVE", "GRACE"])
def test_a_subscription_in_its_grace_still_lets_its_devices_send(status: str) -> None:
    assert accepted(decide(inbound(), known=device(subscription_status=status))).metrics == {"temperature": 21.5}


def test_what_was_refused_names_a_tenant_only_when_he_is_there() -> None:
    decider = Decider(LIMITS)
    gone = refused(decider.decide(Case.of(inbound(b"{"), LIMITS), None))
    assert (gone.tenant_id, gone.device_id, gone.authenticated) == (NOBODY, "d1", False)
    assert refused(decide(inbound(b"{"))).tenant_id == "acme"
    assert refused(decide(inbound(topic="?"))).tenant_id == NOBODY


def test_who_was_refused_after_he_proved_himself_is_known_to_have() -> None:
    assert refused(decide(inbound(), known=device(status="REVOKED"))).authenticated
    assert refused(decide(inbound(token=KEY), CLOSED, STRANGER)).authenticated
    assert not refused(decide(inbound(token="hid_another"))).authenticated


@pytest.mark.parametrize("name", ["token", "provision_token"])
def test_a_token_may_stand_in_the_message(name: str) -> None:
    accepted(decide(inbound(body(**{name: TOKEN}), token=None)))
    assert refused(decide(inbound(body(**{name: "hid_another"}), token=None))).reason == Reason.TOKEN_INVALID
    accepted(decide(inbound(body(**{name: "hid_another"}))))  # the one beside it counts


def test_no_refusal_tells_a_token() -> None:
    for _, _, of_case in REFUSALS:
        verdict = refused(decide(of_case["message"], of_case.get("of"), of_case.get("known"), **_others(of_case)))
        assert not any(secret in repr(verdict) for secret in (TOKEN, KEY, "hid_another"))


def test_a_device_that_the_key_registered_may_show_the_key_until_it_has_a_token_of_its_own() -> None:
    own = device(provisioned_by="key")
    accepted(decide(inbound(token=KEY), CLOSED, with_fields(own, token_hash=None)))
    assert refused(decide(inbound(token=KEY), CLOSED, own)).reason == Reason.TOKEN_INVALID


def with_fields(known: KnownDevice, **fields: Any) -> KnownDevice:  # noqa: ANN401 - each has its own type
    values = {name: getattr(known, name) for name in known.__struct_fields__}
    return KnownDevice(**values | fields)


def test_a_stranger_with_the_key_is_to_be_registered_where_its_message_says() -> None:
    assert decide(inbound(token=KEY), OPEN, STRANGER) == NewDevice(device_id="d1", site_id="home")
    assert decide(inbound(body(site_id="south"), token=KEY), OPEN, STRANGER) == NewDevice(
        device_id="d1", site_id="south"
    )


def test_a_message_is_charged_once_though_it_is_decided_about_twice() -> None:
    decider = Decider(MANY, clock=Clock())
    case = Case.of(inbound(token=KEY), MANY)
    assert isinstance(decider.decide(case, OPEN, STRANGER), NewDevice)
    new = device(token_hash=None, provisioned_by="key")
    assert accepted(decider.decide(case, OPEN, Standing(new, is_new=True))).provisioned


def test_what_could_not_be_kept_is_charged_to_nobody() -> None:
    decider = Decider(dataclasses.replace(MANY, tenant_rate=1, tenant_burst=1), clock=Clock())
    for _ in range(5):
        case = Case.of(inbound(), MANY)
        accepted(decider.decide(case, tenant(), Standing(device())))
        decider.charges.give_back(case)
        decider.charges.give_back(case)


def test_a_device_pays_nothing_for_what_its_tenant_refuses() -> None:
    clock = Clock()
    decider = Decider(Limits(device_rate=0.001, device_burst=1, tenant_rate=1, tenant_burst=1), clock=clock)

    def of(device_id: str) -> Verdict:
        message = inbound(topic=f"tenant/acme/device/{device_id}/telemetry")
        return decider.decide(Case.of(message, LIMITS), tenant(), Standing(device(device_id)))

    accepted(of("d1"))
    late = refused(of("d2"))
    assert (late.reason, late.retry_after_s) == (Reason.RATE_LIMITED_TENANT, 1.0)
    clock.now += 1
    accepted(of("d2"))


def test_nothing_is_remembered_of_who_cannot_prove_himself() -> None:
    decider = Decider(LIMITS, clock=Clock())
    for number in range(100):
        message = inbound(topic=f"tenant/acme/device/d{number}/telemetry", token="hid_another")
        decider.decide(Case.of(message, LIMITS), tenant(), Standing(device(f"d{number}")))
        decider.decide(Case.of(message, LIMITS), tenant(), STRANGER)
    assert len(decider.charges) == 0


HOME_OPEN = tenant("home", auto_provision=True, provisioning_key_hash=digest(KEY))
TRUSTING = dataclasses.replace(LIMITS, require_token=False)


def of_home(**more: Any) -> Inbound:  # noqa: ANN401 - fields of a message
    return inbound(topic="tenant/home/device/d1/telemetry", **{"token": None} | more)


def test_a_home_that_trusts_its_broker_takes_its_devices_without_a_token() -> None:
    known = device(tenant_id="home")
    accepted(decide(of_home(), tenant("home"), known, limits=TRUSTING))
    assert refused(decide(of_home(), tenant("home"), known)).reason == Reason.TOKEN_MISSING
    assert (
        refused(decide(of_home(transport="http"), tenant("home"), known, limits=TRUSTING)).reason
        == Reason.TOKEN_MISSING
    )
    assert refused(decide(inbound(token=None), limits=TRUSTING)).reason == Reason.TOKEN_MISSING


def test_a_wrong_token_is_refused_also_by_a_home_that_trusts_its_broker() -> None:
    verdict = decide(of_home(token="hid_another"), tenant("home"), device(tenant_id="home"), limits=TRUSTING)
    assert refused(verdict).reason == Reason.TOKEN_INVALID


def test_a_home_that_trusts_its_broker_registers_its_devices_only_when_it_lets_them() -> None:
    assert isinstance(decide(of_home(), HOME_OPEN, STRANGER, limits=TRUSTING), NewDevice)
    closed = decide(of_home(), tenant("home"), STRANGER, limits=TRUSTING)
    assert refused(closed).reason == Reason.UNREGISTERED_DEVICE
    waiting = decide(of_home(), tenant("home"), device(status="PENDING", token_hash=None), limits=TRUSTING)
    assert refused(waiting).reason == Reason.DEVICE_PENDING


def test_a_home_that_trusts_its_broker_remembers_no_strangers_either() -> None:
    decider = Decider(TRUSTING, clock=Clock())
    for number in range(100):
        message = inbound(topic=f"tenant/home/device/d{number}/telemetry", token=None)
        decider.decide(Case.of(message, TRUSTING), tenant("home"), STRANGER)
        decider.decide(Case.of(message, TRUSTING), HOME_OPEN, STRANGER)
    assert len(decider.charges) == 0


def test_a_replay_needs_no_token_and_has_no_rate_but_is_else_like_any_message() -> None:
    replay = inbound(token=None, vouched=True, received_us=NOW_US - 5)
    assert accepted(decide(replay, limits=MANY, times=3)).time_us == NOW_US - 5
    assert refused(decide(replay, known=device(status="REVOKED"))).reason == Reason.DEVICE_REVOKED
    assert isinstance(decide(replay, OPEN, STRANGER), NewDevice)


def test_a_replay_that_nobody_vouched_for_shows_its_token_and_has_no_rate() -> None:
    accepted(decide(inbound(replay_of=7), limits=MANY, times=3))
    assert refused(decide(inbound(replay_of=7, token=None))).reason == Reason.TOKEN_MISSING


def test_what_was_late_has_no_rate_but_needs_its_token_and_leaves_the_rate_to_what_is_not() -> None:
    decider = Decider(MANY, clock=Clock())

    def of(**more: Any) -> Verdict:  # noqa: ANN401 - fields of a message
        return decider.decide(Case.of(inbound(**more), MANY), tenant(), Standing(device()))

    for _ in range(3):
        accepted(of(late=True))
    assert len(decider.charges) == 0
    accepted(of())
    assert refused(of()).reason == Reason.RATE_LIMITED_DEVICE
    accepted(of(late=True))
    assert refused(of(late=True, token="hid_another")).reason == Reason.TOKEN_INVALID


@pytest.mark.parametrize(
    ("ts", "time_us"),
    [
        ("2026-09-21T12:26:40Z", 1_789_993_600_000_000),
        ("2026-09-21T14:26:40.5+02:00", 1_789_993_600_500_000),
        ("2026-09-21T12:26:40", 1_789_993_600_000_000),
        (1_789_993_600, 1_789_993_600_000_000),
        (1_789_993_600.25, 1_789_993_600_250_000),
        (1_789_993_600_123, 1_789_993_600_123_000),
        (NOW_US // 1_000_000 + 600, NOW_US + 600_000_000),
    ],
)
def test_a_device_tells_its_time_by_text_seconds_or_milliseconds(ts: object, time_us: int) -> None:
    assert accepted(decide(inbound(body(ts=ts)))).time_us == time_us


@pytest.mark.parametrize(
    "ts", ["yesterday", "", "9" * 300, -1, 0, 12.5, 10**30, True, [], {}, NOW_US // 1_000_000 + 601]
)
def test_a_time_that_cannot_be_gives_way_to_that_of_receipt_and_is_counted(ts: object) -> None:
    decider = Decider(LIMITS, clock=Clock())
    assert (
        accepted(decider.decide(Case.of(inbound(body(ts=ts)), LIMITS), tenant(), Standing(device()))).time_us == NOW_US
    )
    assert decider.bad_times == 1


def test_without_a_time_that_of_receipt_counts_and_that_is_no_fault() -> None:
    decider = Decider(LIMITS, clock=Clock())
    assert accepted(decider.decide(Case.of(inbound(), LIMITS), tenant(), Standing(device()))).time_us == NOW_US
    assert decider.bad_times == 0


def test_plain_values_of_simple_firmware_are_its_metrics() -> None:
    plain = {"temperature": 21.5, "on": True, "mode": "eco", "ts": 1_789_993_600, "seq": 3, "lat": 1, "lng": 2}
    taken = accepted(decide(inbound(plain)))
    assert taken.metrics == {"temperature": 21.5, "on": True, "mode": "eco"}
    assert taken.position == (1.0, 2.0)


def test_a_heartbeat_may_be_empty_and_its_own_words_are_no_metrics() -> None:
    topic = "tenant/acme/device/d1/heartbeat"
    assert accepted(decide(inbound(b"{}", topic=topic))).metrics == {}
    assert accepted(decide(inbound({"uptime": 5, "more": {}}, topic=topic))).metrics == {}
    assert accepted(decide(inbound({"metrics": {"rssi": -60}}, topic=topic))).metrics == {"rssi": -60}


def test_of_two_members_with_one_name_the_last_counts() -> None:
    assert accepted(decide(inbound(b'{"metrics":{"t":1,"t":2}}'))).metrics == {"t": 2}


def test_deep_nesting_beside_the_metrics_does_no_harm() -> None:
    deep = b'{"metrics":{"t":1},"more":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001
    assert accepted(decide(inbound(deep), limits=Limits(payload_bytes=70_000))).metrics == {"t": 1}


def test_the_limits_are_those_of_the_options() -> None:
    assert Limits.of(Options()) == Limits()
    chosen = Options(ingest_payload_bytes=300, ingest_device_burst=7, ingest_require_token=False)
    assert Limits.of(chosen) == Limits(payload_bytes=300, device_burst=7, require_token=False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=140), inner, max_size=5),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["version", "ts", "tenant_id", "device_id", "msg_type", "site_id", "seq", "token", "metrics", "lat", "lng", "x"]
)
PAYLOADS = st.binary(max_size=200) | st.dictionaries(NAMES, JSON).map(lambda value: json.dumps(value).encode())
TOPICS = st.sampled_from(["tenant/acme/device/d1/telemetry", "tenant/acme/device/d1/heartbeat"]) | st.text(max_size=80)


@given(
    payload=PAYLOADS,
    topic=TOPICS,
    token=st.sampled_from([None, TOKEN, KEY, "x", "\ud800"]),
    standing=st.sampled_from([STRANGER, Standing(device()), Standing(device(token_hash=None, provisioned_by="key"))]),
    of=st.sampled_from([None, tenant(), OPEN]),
)
def test_whatever_bytes_come_there_is_one_verdict(
    payload: bytes, topic: str, token: str | None, standing: Standing, of: KnownTenant | None
) -> None:
    message = inbound(payload, topic=topic, token=token)
    verdict = Decider(LIMITS).decide(Case.of(message, LIMITS), of, standing)
    assert isinstance(verdict, (Accepted, Refused, NewDevice))
    if isinstance(verdict, Accepted):
        assert (verdict.tenant_id, verdict.device_id, verdict.size) == ("acme", "d1", len(payload))


def test_the_first_message_of_a_new_device_is_charged_as_any_other() -> None:
    decider = Decider(MANY, clock=Clock())
    first = Case.of(inbound(token=KEY), MANY)
    assert isinstance(decider.decide(first, OPEN, STRANGER), NewDevice)
    new = device(token_hash=None, provisioned_by="key")
    accepted(decider.decide(first, OPEN, Standing(new, is_new=True)))
    second = decider.decide(Case.of(inbound(token=KEY), MANY), OPEN, Standing(new))
    assert refused(second).reason == Reason.RATE_LIMITED_DEVICE


def test_devices_of_two_tenants_with_one_id_have_rates_of_their_own() -> None:
    decider = Decider(MANY, clock=Clock())
    for tenant_id in ("acme", "globex"):
        message = inbound(topic=f"tenant/{tenant_id}/device/d1/telemetry")
        for outcome in (Accepted, Refused):
            verdict = decider.decide(
                Case.of(message, MANY), tenant(tenant_id=tenant_id), Standing(device(tenant_id=tenant_id))
            )
            assert isinstance(verdict, outcome)
