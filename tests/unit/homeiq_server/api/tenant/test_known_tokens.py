"""What is remembered of tokens: for a minute, bounded, and never beyond a change."""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.api.tenant.caller import HOME
from homeiq_server.api.tenant.known_tokens import Known, KnownTokens
from homeiq_server.store.changes import Changes

_KNOWN = Known(HOME, suspended=False, expires_at=None)


class _Notices:
    """A database that tells what the test says."""

    async def listen(self, heard: Callable[[str], None], *, ready: Callable[[], None]) -> NoReturn:
        self.say = heard
        ready()
        await asyncio.Event().wait()
        raise AssertionError


class _Remembering:
    def __init__(self, most: int = 10) -> None:
        self.notices = _Notices()
        self.changes = Changes(self.notices)
        self.now = 0.0
        self.known = KnownTokens(self.changes, most=most, clock=lambda: self.now)

    def put(self, tenant_id: str, digest: bytes = b"d") -> None:
        self.known.put(tenant_id, digest, _KNOWN, generation=self.known.generation)

    def has(self, tenant_id: str, digest: bytes = b"d") -> bool:
        return self.known.get(tenant_id, digest) is not None


@pytest.fixture
def remembering() -> _Remembering:
    return _Remembering()


async def _listen(remembering: _Remembering) -> asyncio.Task[NoReturn]:
    task = asyncio.create_task(remembering.changes.run(), name="changes")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert remembering.changes.is_listening
    return task


async def _end(task: asyncio.Task[NoReturn]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def test_a_token_is_known_for_a_minute_while_changes_are_heard(remembering: _Remembering) -> None:
    task = await _listen(remembering)
    remembering.put("t")
    remembering.now = 59.9
    assert remembering.has("t")
    remembering.now = 60
    assert not remembering.has("t")
    await _end(task)


async def test_a_token_is_known_for_five_seconds_while_changes_are_not_heard(remembering: _Remembering) -> None:
    remembering.put("t")
    remembering.now = 4.9
    assert remembering.has("t")
    remembering.now = 5
    assert not remembering.has("t")


async def test_once_changes_are_heard_again_nothing_older_is_known(remembering: _Remembering) -> None:
    remembering.put("t")
    generation = remembering.known.generation
    task = await _listen(remembering)
    assert not remembering.has("t")
    remembering.known.put("t", b"d", _KNOWN, generation=generation)
    assert not remembering.has("t")
    await _end(task)


@pytest.mark.parametrize("table", ["tenants", "api_tokens"])
async def test_a_change_forgets_the_tokens_of_its_tenant_alone(remembering: _Remembering, table: str) -> None:
    task = await _listen(remembering)
    for tenant_id in ("t1", "t10", "t"):
        remembering.put(tenant_id, b"one")
        remembering.put(tenant_id, b"two")
    remembering.notices.say(f"{table} t1")
    known = [(tenant_id, remembering.has(tenant_id, b"one")) for tenant_id in ("t1", "t10", "t")]
    assert known == [("t1", False), ("t10", True), ("t", True)]
    assert len(remembering.known) == 6
    assert remembering.known.knew("t1", b"one")
    await _end(task)


async def test_other_changes_forget_nothing(remembering: _Remembering) -> None:
    task = await _listen(remembering)
    remembering.put("t1")
    remembering.notices.say("ingest_devices t1 d")
    assert remembering.has("t1")
    await _end(task)


async def test_what_was_looked_up_before_a_change_is_not_remembered(remembering: _Remembering) -> None:
    task = await _listen(remembering)
    generation = remembering.known.generation
    remembering.notices.say("api_tokens t1")
    remembering.known.put("t1", b"d", _KNOWN, generation=generation)
    assert not remembering.has("t1")
    await _end(task)


@given(st.lists(st.tuples(st.sampled_from(["put", "get", "change"]), st.integers(0, 4), st.integers(0, 9))))
def test_there_are_never_more_than_may_be_and_nothing_is_left_of_a_changed_tenant(
    steps: list[tuple[str, int, int]],
) -> None:
    remembering = _Remembering(most=7)
    for what, tenant, digest in steps:
        remembering.now += 1
        match what:
            case "put":
                remembering.put(f"t{tenant}", bytes([digest]))
                assert remembering.has(f"t{tenant}", bytes([digest]))
            case "get":
                remembering.has(f"t{tenant}", bytes([digest]))
            case _:
                remembering.changes._pass_on(f"tenants t{tenant}")
                assert not any(remembering.has(f"t{tenant}", bytes([each])) for each in range(10))
        assert len(remembering.known) <= 7
        kept = sum(len(digests) for digests in remembering.known._of_tenant.values())
        assert kept == len(remembering.known)
        assert all(remembering.known._of_tenant.values())
