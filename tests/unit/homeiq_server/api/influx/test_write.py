"""``/write`` and ``/api/v2/write`` over real HTTP, before the real spool and a fake database."""

import asyncio
import gzip
import zlib
from pathlib import Path

import pytest

from homeiq_server.api.influx.packed import MAX_BYTES
from tests.unit.homeiq_server.api.influx.influx_builders import NOW, V1, V2, Sender, text_of
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import eventually, laws_hold, options, serving

BOTH = pytest.mark.parametrize("path", [V1, V2])
CPU = b"cpu,host=a usage=1.5,n=5i %d" % NOW
DISK = b'disk,path=/mnt/my\\ disk free=3i,fs="ext4" %d' % NOW


async def arrived(database: FakeDatabase, count: int) -> list[bytes]:
    await eventually(lambda: len(database.stored) >= count)
    return list(database.stored)


@BOTH
async def test_lines_are_passed_on_as_they_came(sender: Sender, database: FakeDatabase, path: str) -> None:
    answer = await sender.write(b"# telegraf\n" + CPU + b"\n\n" + DISK + b"\n", path)

    assert (answer.status, answer.body) == (204, "")
    assert await arrived(database, 2) == [CPU, DISK]
    channel = await sender.channel()
    assert (channel["received"], channel["converted"]) == (2, 2)
    assert laws_hold(await sender.client.status())


async def test_a_line_is_on_disk_when_it_is_acknowledged(tmp_path: Path, database: FakeDatabase) -> None:
    chosen = options(tmp_path, influx_url=database.url)
    async with serving(chosen) as client:
        await eventually(client.is_ok)
        database.go_on.clear()
        assert (await Sender(client).write(CPU)).status == 204
        assert (await client.status())["lines"]["queued"] == 1
    database.go_on.set()
    async with serving(chosen):
        assert await arrived(database, 1) == [CPU]


@pytest.mark.parametrize(
    ("path", "asked", "stored"),
    [
        (V1, "", ("ns", "17")),
        (V1, "n", ("ns", "17")),
        (V1, "u", ("us", "17")),
        (V1, "µ", ("us", "17")),
        (V1, "ms", ("ms", "17")),
        (V1, "s", ("s", "17")),
        (V1, "m", ("s", "1020")),
        (V1, "h", ("s", "61200")),
        (V2, "", ("ns", "17")),
        (V2, "ns", ("ns", "17")),
        (V2, "us", ("us", "17")),
        (V2, "ms", ("ms", "17")),
        (V2, "s", ("s", "17")),
    ],
)
async def test_every_precision_arrives(
    sender: Sender, database: FakeDatabase, path: str, asked: str, stored: tuple[str, str]
) -> None:
    assert (await sender.write(b"m f=1 17", path, precision=asked)).status == 204

    assert await arrived(database, 1) == [f"m f=1 {stored[1]}".encode()]
    assert database.queries[-1]["precision"] == stored[0]


@pytest.mark.parametrize(
    ("path", "asked", "message"),
    [
        (V1, "fortnight", 'invalid precision "fortnight" (use n, u, ms, s, m or h)'),
        (V2, "m", "invalid precision; valid precision units are ns, us, ms, and s"),
    ],
)
async def test_another_precision_is_refused(sender: Sender, path: str, asked: str, message: str) -> None:
    answer = await sender.write(b"m f=1 17", path, precision=asked)
    assert (answer.status, text_of(answer)) == (400, message)


@BOTH
async def test_a_missing_time_is_the_time_of_receipt(sender: Sender, database: FakeDatabase, path: str) -> None:
    """As ESPHome and Node-RED send them."""
    assert (
        await sender.write(b"weather,station=garden temperature=21.5\nweather,station=roof up=t", path)
    ).status == 204

    times = [int(line.rpartition(b" ")[2]) for line in await arrived(database, 2)]
    assert times[0] == times[1]
    assert times[0] > NOW - 400 * 86_400


@BOTH
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
async def test_gzip_is_unpacked(sender: Sender, database: FakeDatabase, path: str, *, chunked: bool) -> None:
    """As Telegraf sends it."""
    lines = b"".join(b"m,n=%d f=1 %d\n" % (n, NOW) for n in range(3_000))
    body = gzip.compress(lines[:1_000_000]) + gzip.compress(b"last f=1 %d" % NOW)
    head = {"Content-Encoding": "gzip"}
    if chunked:
        answer = await sender.write_in_chunks([body[:10], body[10:5_000], body[5_000:]], path, **head)
    else:
        answer = await sender.write(body, path, **head)

    assert answer.status == 204
    assert len(await arrived(database, 3_001)) == 3_001


@BOTH
async def test_plain_chunks_are_taken(sender: Sender, database: FakeDatabase, path: str) -> None:
    assert (await sender.write_in_chunks([CPU[:5], CPU[5:] + b"\n", DISK], path)).status == 204
    assert await arrived(database, 2) == [CPU, DISK]


@BOTH
@pytest.mark.parametrize(
    "body", [b"m f=1", gzip.compress(b"m f=1")[:-3], gzip.compress(b"m f=1") + b"more"], ids=["plain", "cut", "more"]
)
async def test_what_is_no_gzip_is_refused(sender: Sender, path: str, body: bytes) -> None:
    answer = await sender.write(body, path, **{"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert "gzip" in text_of(answer)


@BOTH
async def test_another_encoding_is_refused(sender: Sender, path: str) -> None:
    answer = await sender.write(zlib.compress(CPU), path, **{"Content-Encoding": "deflate"})
    assert answer.status == 415
    assert "deflate" in text_of(answer)


@BOTH
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
async def test_a_body_that_grows_beyond_all_bounds_is_refused_before_it_has(
    sender: Sender, path: str, *, chunked: bool
) -> None:
    bomb = gzip.compress(b"\n" * (4 * MAX_BYTES))
    head = {"Content-Encoding": "gzip"}
    answer = await (sender.write_in_chunks([bomb], path, **head) if chunked else sender.write(bomb, path, **head))

    assert answer.status == 413
    assert "Request Entity Too Large" in text_of(answer)
    assert (await sender.write(CPU, path)).status == 204  # what was held was given back


@BOTH
async def test_a_body_over_25_mb_is_refused_by_its_length(sender: Sender, path: str) -> None:
    answer = await sender.write(b"\n" * (MAX_BYTES + 1), path)
    assert (answer.status, str(MAX_BYTES) in text_of(answer)) == (413, True)


async def test_a_large_body_arrives_whole(sender: Sender, database: FakeDatabase) -> None:
    lines = [b'm,n=%d f=%d,g="%s" %d' % (n, n, b"x" * 400, NOW) for n in range(9_000)]
    assert (await sender.write(b"\n".join(lines))).status == 204

    assert await arrived(database, 9_000) == lines
    assert (await sender.channel())["received"] == 9_000


async def test_no_more_bodies_are_read_at_once_than_there_is_memory_for(sender: Sender) -> None:
    head = f"POST {V2} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\nAuthorization: Token {sender.token}\r\n\r\n"
    _, slow = await asyncio.open_connection("127.0.0.1", sender.client.port)
    slow.write(head.encode())
    await slow.drain()

    async def is_refused() -> bool:
        answer = await sender.write(b"\n" * 3_000_000)
        return answer.status == 503 and answer.headers["Retry-After"] == "1" and "at once" in text_of(answer)

    await eventually(is_refused)
    slow.close()
    await slow.wait_closed()
    await eventually(lambda: _takes(sender, V2))


async def test_of_a_body_with_bad_lines_version_2_stores_nothing(sender: Sender, database: FakeDatabase) -> None:
    answer = await sender.write(CPU + b"\nnonsense\n" + DISK + b"\nm f=,g=1")

    assert answer.status == 400
    assert answer.body == {
        "code": "invalid",
        "message": "unable to parse 'nonsense': missing fields\nunable to parse 'm f=,g=1': missing field value",
    }
    channel = await sender.channel()
    assert (channel["received"], channel["rejected"], channel["converted"]) == (4, 4, 0)
    assert channel["rejected_by_reason"] == {
        "missing fields": 1,
        "missing field value": 1,
        "sent together with lines that cannot be read": 2,
    }
    status = await sender.client.status()
    assert status["lines"]["spooled"] == 0
    assert laws_hold(status)
    assert database.stored == []


async def test_of_a_body_with_bad_lines_version_1_stores_the_others(sender: Sender, database: FakeDatabase) -> None:
    answer = await sender.write(CPU + b"\nnonsense\n" + DISK, V1)

    assert answer.status == 400
    assert answer.body == {"error": "partial write: unable to parse 'nonsense': missing fields dropped=0"}
    assert await arrived(database, 2) == [CPU, DISK]
    channel = await sender.channel()
    assert (channel["received"], channel["rejected_by_reason"], channel["converted"]) == (3, {"missing fields": 1}, 2)
    assert laws_hold(await sender.client.status())


async def test_of_a_body_without_a_good_line_version_1_tells_so(sender: Sender) -> None:
    answer = await sender.write(b"<html>\n", V1)
    assert (answer.status, answer.body) == (400, {"error": "unable to parse '<html>': missing fields"})


async def test_a_body_that_is_something_else_is_told_in_a_bounded_answer(sender: Sender) -> None:
    answer = await sender.write(b"\x89PNG\xff" * 100 + b"\n{}\n" * 5_000)
    assert answer.status == 400
    assert len(answer.body["message"]) < 25_000
    assert answer.body["message"].endswith("and 4981 more lines")


async def test_an_empty_body_is_what_each_version_says(sender: Sender) -> None:
    """Home Assistant's own integration tests a connection of version 2 so, and expects the 400."""
    answer = await sender.write(b"")
    assert (answer.status, answer.body) == (400, {"code": "invalid", "message": "writing requires points"})
    assert (await sender.write(b"", V1)).status == 204
    assert (await sender.write(b"\n", V1)).status == 204
    assert (await sender.write(b"\n", V2)).status == 204
    assert await sender.channel() == {}


@BOTH
async def test_a_full_spool_refuses_in_the_form_of_the_version(
    tmp_path: Path, database: FakeDatabase, path: str
) -> None:
    async with serving(options(tmp_path, influx_url=database.url, spool_limit_mb=1)) as client:
        await eventually(client.is_ok)
        sender = Sender(client)
        database.go_on.clear()
        answer, n = await sender.write(CPU, path), 0
        while answer.status == 204:
            n += 1
            noise = [b"m,a=%x f=%d %d" % (abs(hash((n, m))), hash((m, n)), NOW) for m in range(5_000)]
            answer = await sender.write(b"\n".join(noise), path)

        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert "limit" in text_of(answer)
        assert laws_hold(await client.status())

        database.go_on.set()
        await eventually(lambda: _takes(sender, path))


async def _takes(sender: Sender, path: str) -> bool:
    return (await sender.write(CPU, path)).status == 204


@BOTH
async def test_lines_wait_with_their_sender_while_nobody_knows_the_database(tmp_path: Path, path: str) -> None:
    async with serving(options(tmp_path, influx_url="http://127.0.0.1:9")) as client:
        answer = await Sender(client).write(CPU, path)
        assert (answer.status, "Retry-After" in answer.headers) == (503, True)


async def test_without_history_every_line_is_skipped_and_counted(tmp_path: Path) -> None:
    async with serving(options(tmp_path, history=False)) as client:
        sender = Sender(client)
        assert (await sender.write(CPU + b"\n" + DISK)).status == 204
        assert (await sender.channel())["skipped_by_reason"] == {"history is off": 2}


async def test_victoriametrics_gets_numbers_and_states_as_tags(tmp_path: Path) -> None:
    async with (
        running(FakeDatabase("victoria")) as database,
        serving(options(tmp_path, influx_url=database.url)) as client,
    ):
        await eventually(client.is_ok)
        sender = Sender(client)
        await sender.write(CPU + b'\nhvac,room=hall state="heat",temp=21.5,said="x" 100\nm said="only" 100')
        await sender.write(b'hvac,room=hall state="off" 200')

        assert await arrived(database, 5) == [
            CPU,
            b"hvac,room=hall temp=21.5 100",
            b"hvac,room=hall,state=heat state=1.0 100",
            b"hvac,room=hall,state=heat state=0.0 200",
            b"hvac,room=hall,state=off state=1.0 200",
        ]
        assert (await sender.channel())["skipped_by_reason"] == {"text only": 1}
        status = await client.status()
        assert status["history"]["left_out"] == {"text fields": 2}
        assert laws_hold(status)
