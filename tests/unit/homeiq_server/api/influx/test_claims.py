"""In every way in which InfluxDB's clients can show it, the token opens the door, and nothing else does."""

import asyncio
import base64
import logging
from urllib.parse import quote

import pytest

from tests.unit.homeiq_server.api.influx.influx_builders import V1, V2, Sender, text_of
from tests.unit.homeiq_server.server_builders import Answer

EVERYWHERE = [("POST", V1), ("POST", V2), ("GET", "/query"), ("POST", "/query"), ("POST", "/api/v2/query")]
EVERYWHERE += [("GET", "/api/v2/buckets")]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def header_of(way: str, secret: str) -> str:
    return {
        "token": f"Token {secret}",
        "lower case": f"token {secret}",
        "bearer": f"Bearer {secret}",
        "basic": basic("anybody", secret),
        "token of 1.8": f"Token anybody:{secret}",
    }[way]


async def ask(sender: Sender, method: str, path: str, header: str = "", **params: str) -> Answer:
    body = b"m f=1" if "write" in path else b'{"query": "buckets()"}'
    params |= {"q": "SHOW DATABASES"}
    url = sender.client.api + path
    return await sender.client.ask(method, url, params=params, data=body, headers={"Authorization": header})


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
@pytest.mark.parametrize("way", ["token", "lower case", "bearer", "basic", "token of 1.8"])
async def test_the_token_is_taken_in_every_way(sender: Sender, method: str, path: str, way: str) -> None:
    assert (await ask(sender, method, path, header_of(way, sender.token))).status in (200, 204)
    refused = await ask(sender, method, path, header_of(way, "wrong" * 8))
    assert refused.status == 401
    assert refused.body.get("code", "unauthorized") == "unauthorized"
    assert "authorization failed" in text_of(refused)
    assert refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
async def test_user_and_password_are_taken_from_the_address_too(sender: Sender, method: str, path: str) -> None:
    assert (await ask(sender, method, path, u="anybody", p=sender.token)).status in (200, 204)
    assert (await ask(sender, method, path, u=sender.token, p="wrong")).status == 401
    assert (await ask(sender, method, path, header_of("token", sender.token), u="a", p="wrong")).status == 401


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
@pytest.mark.parametrize("header", ["", "Token", "Token ", "Basic", "Basic ###", "Basic OnQ=", "Digest x", "Bearer é"])
async def test_without_the_token_nothing_is_taken(sender: Sender, method: str, path: str, header: str) -> None:
    assert (await ask(sender, method, path, header)).status == 401
    assert await sender.channel() == {}


async def test_what_a_browser_adds_by_itself_is_not_enough(sender: Sender) -> None:
    headers = {"Authorization": basic("anybody", sender.token), "Origin": "https://evil.example"}
    answer = await sender.client.ask("POST", sender.client.api + V2, data=b"m f=1", headers=headers)
    assert answer.status == 401


@pytest.mark.parametrize("path", ["/write", "//write", "/write/", "/api/v2/%77rite", "/api/v2%2Fwrite", "/./write"])
async def test_no_spelling_of_a_path_passes_without_the_token(sender: Sender, path: str) -> None:
    async with sender.client.session.post(f"{sender.client.api}{path}", data=b"m f=1") as response:
        assert response.status in (401, 404)


async def test_the_password_in_the_address_is_never_logged(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = quote(sender.token)
    for path in (f"/write?u=a&p={secret}", f"/query?u=a&p={secret}&q=DROP", f"/no?p={secret}", f"/write?p={secret}x"):
        await sender.client.ask("POST", sender.client.api + path, data=b"nonsense")
    await sender.client.ask(
        "POST", f"{sender.client.api}/write?p={secret}", data=b"x", headers={"Content-Encoding": "y"}
    )

    assert sender.token not in caplog.text


@pytest.mark.parametrize(
    "request_line",
    [
        "POST /write?db=my home&p={token} HTTP/1.1",
        "POST /write HTTP/1.1\r\nAuthorization: Token {token}\x01",
        "{token}",
    ],
)
async def test_nor_is_what_a_malformed_request_holds(
    sender: Sender, caplog: pytest.LogCaptureFixture, request_line: str
) -> None:
    caplog.set_level(logging.DEBUG)
    reader, writer = await asyncio.open_connection("127.0.0.1", sender.client.port)
    # The first request of a connection is taken for a port scan when it is none.
    writer.write(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(f"{request_line.format(token=sender.token)}\r\nHost: x\r\n\r\n".encode())
    assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert any("Error handling request" in record.getMessage() for record in caplog.records)
    assert sender.token not in caplog.text
