"""``/ingest/v1``: devices send their messages by HTTP, one or many; acknowledged once they are on disk.

Device and token belong together; the app's own token and those of the tenant API open nothing here.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web
from msgspec import json

from homeiq_server.errors import TooLarge
from homeiq_server.ingest.batch import Address, address_of, messages_of
from homeiq_server.ingest.message import Inbound, Outcome, Refused

from .device_body import device_body, open_room
from .ingest_answers import BatchTaken, Taken, problem_of, result_of, told

SINGLE: Final = "/ingest/v1/tenant/{tenant_id}/device/{device_id}/{msg_type}"
BATCH: Final = "/ingest/v1/batch"
OPEN_BELOW: Final = "/ingest/v1/"
"""Where devices show tokens of their own: no other check of who asks may stand before."""

_MOST_BYTES: Final = 4 * 1024 * 1024
_LONG: Final = 64 * 1024
_BY_LINE: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


class Gate(Protocol):
    """Decides over messages."""

    async def take(self, messages: Sequence[Inbound]) -> list[Outcome]:
        """Return what becomes of each, once that is on disk.

        Raises:
            RetryLater: Nothing can be kept now.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How much is read of a device.

    Attributes:
        payload_bytes: Of a message.
        batch: Messages at once.
    """

    payload_bytes: int
    batch: int

    @property
    def batch_bytes(self) -> int:
        """Of a batch, unpacked."""
        return min(self.batch * self.payload_bytes, _MOST_BYTES)


GATE: Final[web.AppKey[Gate]] = web.AppKey("device_gate")
LIMITS: Final = web.AppKey("device_limits", BodyLimits)


async def post_message(request: web.Request) -> web.Response:
    """Answer 202 once the message is on disk, or the problem whose ``code`` is the reason of its refusal."""
    parts = request.match_info
    async with device_body(request, request.app[LIMITS].payload_bytes) as body:
        inbound = Inbound(
            transport="http",
            topic=f"tenant/{parts['tenant_id']}/device/{parts['device_id']}/{parts['msg_type']}",
            payload=body,
            token=_token(request),
            received_us=_now_us(),
        )
        (outcome,) = await request.app[GATE].take([inbound])
        if isinstance(outcome, Refused):
            has_token = inbound.token is not None or address_of(body).has_token
            return problem_of(told(outcome, has_token=has_token))
    return _accepted(Taken())


async def post_batch(request: web.Request) -> web.Response:
    """Answer 202 once all messages that are accepted are on disk; each one's result tells whether it is."""
    limits = request.app[LIMITS]
    if (request.content_length or 0) > limits.batch_bytes:
        raise _too_large(limits)
    async with device_body(request, limits.batch_bytes) as body:
        if len(body) > limits.batch_bytes:
            raise _too_large(limits)
        by_line = request.content_type in _BY_LINE
        token, received_us = _token(request), _now_us()
        if len(body) > _LONG:
            taken_apart = await asyncio.to_thread(_taken_apart, body, limits.batch, by_line=by_line)
        else:
            taken_apart = _taken_apart(body, limits.batch, by_line=by_line)
        messages = [_inbound(*each, token=token, received_us=received_us) for each in taken_apart]
        outcomes = await request.app[GATE].take(messages)
    results = [
        result_of(index, outcome, address, has_token=token is not None)
        for index, (outcome, (_, address)) in enumerate(zip(outcomes, taken_apart, strict=True))
    ]
    rejected = sum(result.status == "rejected" for result in results)
    return _accepted(BatchTaken(accepted=len(results) - rejected, rejected=rejected, results=results))


def _taken_apart(body: bytes, most: int, *, by_line: bool) -> list[tuple[bytes, Address]]:
    return [(message, address_of(message)) for message in messages_of(body, most=most, by_line=by_line)]


def _inbound(message: bytes, address: Address, *, token: str | None, received_us: int) -> Inbound:
    """Return a message of a batch; its own token counts more than that of all."""
    return Inbound(
        transport="http",
        topic=address.topic or "",
        payload=message,
        token=None if address.has_token else token,
        received_us=received_us,
    )


def _token(request: web.Request) -> str | None:
    """Return the token that the headers show; one with letters beyond ASCII is nobody's."""
    claim = request.headers.get("X-Provision-Token", "").strip()
    if not claim:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        claim = credentials.strip() if scheme.lower() == "bearer" else ""
    if not claim:
        return None
    return claim if claim.isascii() else "?"


def _too_large(limits: BodyLimits) -> TooLarge:
    return TooLarge(
        f"the batch has more than {limits.batch_bytes} bytes, unpacked: send the messages in several batches"
    )


def _accepted(answer: Taken | BatchTaken) -> web.Response:
    return web.Response(
        status=202,
        body=json.encode(answer),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _now_us() -> int:
    return time.time_ns() // 1_000


def serve(app: web.Application, gate: Gate, limits: BodyLimits) -> None:
    """Let devices send; the gate decides."""
    app[GATE] = gate
    app[LIMITS] = limits
    open_room(app)
    app.router.add_post(SINGLE, post_message)
    app.router.add_post(BATCH, post_batch)
