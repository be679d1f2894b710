"""What a device is told of its messages.

Somebody who has not proved who he is learns nothing that only the store knows: whether a tenant or a device exists, is
suspended, revoked or full is the same to him as a wrong token.
"""

from collections.abc import Mapping
from typing import Final, Literal

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from homeiq_server.errors import TooMany, Unauthorized
from homeiq_server.ingest.batch import Address
from homeiq_server.ingest.message import Outcome, Reason, Refused

from .errors import problem, status_and_headers

STATUSES: Final[Mapping[Reason, int]] = {
    Reason.PAYLOAD_TOO_LARGE: 413,
    Reason.BAD_TOPIC_FORMAT: 400,
    Reason.UNKNOWN_TENANT: 401,
    Reason.INVALID_ENCODING: 400,
    Reason.INVALID_JSON: 400,
    Reason.NOT_OBJECT: 400,
    Reason.UNSUPPORTED_VERSION: 400,
    Reason.TENANT_MISMATCH: 400,
    Reason.DEVICE_MISMATCH: 400,
    Reason.TENANT_SUSPENDED: 403,
    Reason.TOKEN_MISSING: 401,
    Reason.TOKEN_INVALID: 401,
    Reason.RATE_LIMITED_DEVICE: 429,
    Reason.RATE_LIMITED_TENANT: 429,
    Reason.UNREGISTERED_DEVICE: 403,
    Reason.NO_SUBSCRIPTION_CAPACITY: 403,
    Reason.SUBSCRIPTION_SUSPENDED: 403,
    Reason.SUBSCRIPTION_EXPIRED: 403,
    Reason.DEVICE_PENDING: 403,
    Reason.DEVICE_INACTIVE: 403,
    Reason.DEVICE_REVOKED: 403,
    Reason.SITE_MISMATCH: 403,
    Reason.MALFORMED: 400,
    Reason.TOO_MANY_METRICS: 400,
    Reason.METRIC_KEY_INVALID: 400,
    Reason.METRIC_VALUE_INVALID: 400,
}
"""What a single message that is refused is answered with."""

_TELLS_NOBODY: Final = frozenset(
    {
        Reason.PAYLOAD_TOO_LARGE,
        Reason.BAD_TOPIC_FORMAT,
        Reason.INVALID_ENCODING,
        Reason.INVALID_JSON,
        Reason.NOT_OBJECT,
        Reason.UNSUPPORTED_VERSION,
        Reason.TENANT_MISMATCH,
        Reason.DEVICE_MISMATCH,
    }
)  # the message alone shows them
_MISSING: Final = "there is no token: send the device's own in the header X-Provision-Token, or as token in the message"
_WRONG: Final = "there is no such device that has this token: check tenant, device and token"
_NO_ADDRESS: Final = "it is no object with tenant_id, device_id and msg_type, which say whose message it is"
_TITLE: Final = "The message is refused"


class Taken(Struct, frozen=True):
    """A message that is on disk."""

    accepted: Literal[True] = True


class Result(Struct, frozen=True, kw_only=True):
    """What became of a message of a batch.

    Attributes:
        index: Its place in the batch, from 0.
        reason: Why it was rejected, for programs.
        detail: The same for people.
        retry_after_s: When the same may be accepted, of a rate.
    """

    index: int
    status: Literal["accepted", "rejected"]
    reason: Reason | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    retry_after_s: float | UnsetType = UNSET


class BatchTaken(Struct, frozen=True, kw_only=True):
    """What became of a batch: each message is accepted, and on disk, or rejected."""

    accepted: int
    rejected: int
    results: list[Result]


def told(refused: Refused, *, has_token: bool) -> Refused:
    """Return what the sender may know of a refusal.

    Args:
        refused: The whole truth.
        has_token: Whether he showed a token, be it right or wrong.
    """
    if refused.authenticated or refused.reason in _TELLS_NOBODY or STATUSES[refused.reason] == 429:  # noqa: PLR2004 - of HTTP
        return refused
    reason, detail = (Reason.TOKEN_INVALID, _WRONG) if has_token else (Reason.TOKEN_MISSING, _MISSING)
    return Refused(reason=reason, detail=detail, tenant_id=refused.tenant_id, device_id=refused.device_id)


def problem_of(refused: Refused) -> web.Response:
    """Return the answer to a single message; its member ``code`` is the reason."""
    status = STATUSES[refused.reason]
    headers: dict[str, str] = {}
    if status == 401:  # noqa: PLR2004 - of HTTP
        _, headers = status_and_headers(Unauthorized())
    elif status == 429:  # noqa: PLR2004 - of HTTP
        _, headers = status_and_headers(TooMany("", after=refused.retry_after_s or 1))
    slug = refused.reason.lower().replace("_", "-")
    return problem(status, slug, _TITLE, refused.detail, headers=headers, code=refused.reason)


def result_of(index: int, outcome: Outcome, address: Address, *, has_token: bool) -> Result:
    """Return what is answered of one message of a batch.

    Args:
        index: Its place.
        outcome: What became of it.
        address: What it says of itself.
        has_token: Whether the batch shows a token for all that have none of their own.
    """
    if not isinstance(outcome, Refused):
        return Result(index=index, status="accepted")
    refused = told(outcome, has_token=has_token or address.has_token)
    return Result(
        index=index,
        status="rejected",
        reason=refused.reason,
        detail=refused.detail if address.topic is not None else _NO_ADDRESS,
        retry_after_s=UNSET if refused.retry_after_s is None else refused.retry_after_s,
    )
