"""What is wrong with bad devices: each fault changes good messages, and names the reason they must be refused with.

The reasons are those of a server whose options were left as they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message before it is sent."""

    tenant_id: str
    device_id: str
    msg_type: str
    payload: bytes
    token: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        reason: What the server answers; None when there is nothing to answer, because nothing is sent.
        apply: Returns what is sent instead; None for nothing at all.
        after: How many good messages come before.
    """

    reason: str | None
    apply: Callable[[Message], Message | None]
    after: int = 0


_TOO_MANY: Final = b'{"metrics":{' + b",".join(b'"m%d":%d' % (n, n) for n in range(1_001)) + b"}}"
_TOO_LARGE: Final = b'{"metrics":{"x":"' + b"x" * 300_000 + b'"}}'


def _with(payload: bytes) -> Callable[[Message], Message]:
    return lambda message: replace(message, payload=payload)


def _with_member(member: bytes) -> Callable[[Message], Message]:
    return lambda message: replace(message, payload=message.payload.removesuffix(b"}") + b"," + member + b"}")


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "broken-json": Fault("INVALID_JSON", lambda message: replace(message, payload=message.payload[:-1])),
        "wrong-token": Fault("TOKEN_INVALID", lambda message: replace(message, token="hid_" + "x" * 43)),
        "silent": Fault(None, lambda _message: None, after=3),
        "too-large": Fault("PAYLOAD_TOO_LARGE", _with(_TOO_LARGE)),
        "other-tenant": Fault("TENANT_MISMATCH", _with_member(b'"tenant_id":"somebody-else"')),
        "no-token": Fault("TOKEN_MISSING", lambda message: replace(message, token=None)),
        "latin-1": Fault("INVALID_ENCODING", _with(b'{"metrics":{"caf\xe9":1}}')),
        "list": Fault("NOT_OBJECT", _with(b"[1,2,3]")),
        "too-many": Fault("TOO_MANY_METRICS", _with(_TOO_MANY)),
        "other-device": Fault("DEVICE_MISMATCH", _with_member(b'"device_id":"somebody-else"')),
        "version-2": Fault("UNSUPPORTED_VERSION", _with(b'{"version":"2","metrics":{"x":1}}')),
        "no-metrics": Fault("MALFORMED", _with(b'{"metrics":[1,2,3]}')),
        "control-characters": Fault("METRIC_KEY_INVALID", _with(b'{"metrics":{"a\\u0007":1}}')),
        "nested": Fault("METRIC_VALUE_INVALID", _with(b'{"metrics":{"a":{"b":1}}}')),
    }
)
