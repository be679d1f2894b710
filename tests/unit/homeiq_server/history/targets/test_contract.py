"""What the writer may rely on, whichever database is behind the target; each speaks its dialect over real HTTP."""

import asyncio
import logging

import pytest

from homeiq_server.history.answers import Action, Category, Refusal
from homeiq_server.history.target import Identity, Target
from tests.unit.homeiq_server.history.fake_database import Scripted, running
from tests.unit.homeiq_server.history.spoken_answers import SPOKEN
from tests.unit.homeiq_server.history.targets.target_builders import KINDS, SECRET, Kind, connected

LINES = b"m,t=a f=1.0 1\nm,t=b f=2.0 2"

pytestmark = pytest.mark.parametrize(
    "kind", KINDS, ids=lambda kind: f"{kind.dialect}-{'password' if kind.login else 'token'}"
)


async def identified(target: Target) -> Identity:
    identity = await target.identify()
    assert isinstance(identity, Identity)
    return identity


async def test_it_is_identified_by_its_product_and_nothing_is_stored(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        assert (await identified(target)).product == kind.product == target.name
        assert database.stored == []


async def test_lines_arrive_as_they_are_where_they_belong(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(f"{database.url}/")) as target:
        await identified(target)
        assert await target.write(LINES, precision="us") is None
        assert database.stored == LINES.split(b"\n")
        assert database.requests[-1] == ("POST", kind.path)
        assert database.queries[-1] == kind.query
        assert SECRET not in str(database.queries)


@pytest.mark.parametrize("precision", ["ns", "us", "ms", "s"])
async def test_every_precision_is_spelt_as_the_product_spells_it(kind: Kind, precision: str) -> None:
    spelt = {"ns": "n", "us": "u"}.get(precision, precision) if kind.path == "/write" else precision
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        await identified(target)
        assert await target.write(LINES, precision=precision) is None
        assert database.queries[-1]["precision"] == spelt


async def test_a_large_body_is_packed_and_arrives_whole(kind: Kind) -> None:
    lines = [b"m,t=%d f=1.0 %d" % (n, n) for n in range(5_000)]
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        await identified(target)
        assert await target.write(b"\n".join(lines), precision="us") is None
        assert database.stored == lines
        assert database.encodings == {"gzip"}


async def test_wrong_credentials_hold_until_they_are_mended(kind: Kind) -> None:
    async with running(kind.database()) as database:
        async with connected(kind.settings(database.url, secret="wrong")) as target:
            identity = await target.identify()
            refusal = identity if isinstance(identity, Refusal) else await target.write(LINES, precision="us")
            assert isinstance(refusal, Refusal)
            assert (refusal.action, refusal.category, refusal.status) == (Action.HOLD, Category.AUTH, 401)
        async with connected(kind.settings(database.url)) as target:
            await identified(target)
            assert await target.write(LINES, precision="us") is None


async def test_a_missing_database_holds_with_the_remedy_until_it_is_there(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        database.databases = set()
        await identified(target)
        refusal = await target.write(LINES, precision="us")
        if kind.dialect == "victoria":  # it has none that could be missing
            assert refusal is None
            return
        assert isinstance(refusal, Refusal)
        assert (refusal.action, refusal.category) == (Action.HOLD, Category.CONFIGURATION)
        assert "correct influx_bucket" in refusal.reason
        database.databases = {"home"}
        assert await target.write(LINES, precision="us") is None


async def test_every_answer_of_the_product_has_its_meaning_through_the_target(kind: Kind) -> None:
    spoken = [one for one in SPOKEN if one.dialect == kind.dialect and one.status != 204]
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        await identified(target)
        for one in spoken:
            database.scripted.append(Scripted(one.status, one.body, one.headers))
            refusal = await target.write(LINES, precision="us")
            assert (refusal and (refusal.action, refusal.category)) == one.verdict, one


async def test_a_database_that_is_away_is_not_healthy_and_refuses_by_network(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        await identified(target)
        assert await target.healthy()
        await database.stop()
        assert not await target.healthy()
        for refusal in (await target.write(LINES, precision="us"), await target.identify()):
            assert isinstance(refusal, Refusal)
            assert (refusal.action, refusal.category, refusal.status) == (Action.RETRY, Category.NETWORK, None)


async def test_a_database_that_hangs_is_left_when_the_time_is_over(kind: Kind) -> None:
    async with (
        running(kind.database()) as database,
        connected(kind.settings(database.url, timeout_s=0.05)) as target,
    ):
        database.go_on.clear()
        refusal = await target.write(LINES, precision="us")
        assert isinstance(refusal, Refusal)
        assert (refusal.action, refusal.category) == (Action.RETRY, Category.TIMEOUT)
        assert not await target.healthy()


async def test_a_redirect_is_not_followed(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        await identified(target)
        database.scripted.append(Scripted(301, headers={"Location": f"{database.url}/health"}))
        refusal = await target.write(LINES, precision="us")
        assert isinstance(refusal, Refusal)
        assert refusal.action is Action.HOLD
        assert ("GET", "/health") not in database.requests


async def test_a_cancelled_write_leaves_a_usable_session(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        await identified(target)
        database.go_on.clear()
        database.hanging.clear()
        task = asyncio.create_task(target.write(LINES, precision="us"))
        await database.hanging.wait()
        task.cancel()
        await asyncio.wait([task])
        database.go_on.set()
        assert await target.write(LINES, precision="us") is None


async def test_no_secret_is_shown_even_when_the_other_side_repeats_it(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        await identified(target)
        assert await target.write(LINES, precision="us") is None
        sent = str(database.authorizations.pop())
        database.scripted.append(Scripted(502, f"<html>Authorization: {sent} {SECRET}</html>"))
        refusal = await target.write(LINES, precision="us")
        assert isinstance(refusal, Refusal)
        shown = [repr(target), repr(kind.settings(database.url)), target.url, repr(refusal), refusal.text, caplog.text]
    assert SECRET not in "".join(shown)
    assert sent.split()[1] not in "".join(shown)


async def test_a_line_that_is_in_no_dialect_costs_no_connection(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        await identified(target)
        refusal = await target.write(b'm,t=a f=1.0 1\nit\'s "not" a line', precision="us")
        assert isinstance(refusal, Refusal)
        assert refusal.lines_at_fault
        assert len(database.connections) == 1
