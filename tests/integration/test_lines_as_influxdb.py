"""Lines are judged as a real InfluxDB judges them, word for word where that can be."""

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp

from homeiq_server.history.line_scan import Scan
from homeiq_server.history.precision import PRECISIONS
from tests.integration.real_influxd import ADMIN, PASSWORD, RealInfluxd

_GOOD = (
    b'cpu,host=a usage=1.5,n=5i,up=t,said="a, b" 1790000000000000000',
    rb'my\ home,room=living\ room,of=a\=b temp=21.5,on=t,n=5i,said="a \"b\", c=d" 17',
    b"m f=1",
    b'm said="x"',
    b"m f=-1e5,g=3 5",
    b"m,a=b on=TRUE -5",
)
_CHARACTERS = b',= "\\\n#1i-.etTrab'
_SAME_WORDS = (
    b"m",
    b"m,a=b",
    b"m, f=1",
    b"m,a f=1",
    b"m,a=b=c f=1",
    b"m 17",
    b"m =1",
    b"m f=",
    b'm f="a',
    b"m f=1.2.3",
    b"m f=1e400",
    b"m f=yes",
    b"m f=1 now",
    b"m f=1 17 18",
)


def changed(chance: random.Random) -> bytes:
    """Return a line in which a few characters are other ones."""
    line = bytearray(chance.choice(_GOOD))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(line) + 1)
        line[at : at + chance.randrange(3)] = bytes(chance.choices(_CHARACTERS, k=chance.randrange(3)))
    return bytes(line)


@asynccontextmanager
async def writing_to(influxd: RealInfluxd) -> AsyncIterator[Callable[[bytes], Awaitable[tuple[int, str]]]]:
    """Yield what writes lines and returns the status and the text of the answer."""
    headers = {"Authorization": aiohttp.encode_basic_auth(ADMIN, PASSWORD)}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def write(lines: bytes) -> tuple[int, str]:
            async with session.post(f"{influxd.url}/write", params={"db": "home"}, data=lines) as answer:
                return answer.status, await answer.text()

        yield write


def judged(body: bytes) -> Scan:
    scan = Scan(body, PRECISIONS["ns"], now_ns=1_790_000_000_000_000_000)
    for _ in scan.steps():
        pass
    return scan


async def test_bad_lines_are_told_in_the_same_words(influxd: RealInfluxd) -> None:
    async with writing_to(influxd) as write:
        for line in _SAME_WORDS:
            [fault] = judged(line).faults
            status, text = await write(line)
            assert (status, json.loads(text)["error"]) == (400, f"unable to parse '{line.decode()}': {fault.reason}")


async def test_the_same_lines_are_taken(influxd: RealInfluxd) -> None:
    chance = random.Random(3)  # noqa: S311  # a repeatable choice, no secret
    wrong = []
    async with writing_to(influxd) as write:
        for _ in range(1_500):
            line = changed(chance)
            status, text = await write(line)
            reasons = judged(line).reasons
            behind_a_quote = status == 204 and reasons == {"invalid field format": 1}  # where we are stricter
            if "type conflict" not in text and (status == 204) is bool(reasons) and not behind_a_quote:
                wrong.append((line, text, dict(reasons)))
    assert wrong == []
