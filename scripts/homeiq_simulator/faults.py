"""What is wrong with bad devices: each fault changes a good message, and names the reason it must be refused with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace


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
        reason: What the server answers; None when nobody can tell from one message.
        apply: Returns what is sent instead; None for nothing at all.
    """

    reason: str | None
    apply: Callable[[Message], Message | None]


def _payload(payload: bytes) -> Callable[[Message], Message]:
    return lambda message: replace(message, payload=payload)


_MANY = b'{"metrics":{' + b",".join(b'"m%d":%d' % (n, n) for n in range(200)) + b"}}"

FAULTS: Mapping[str, Fault] = {
    "broken-json": Fault("INVALID_JSON", lambda message: replace(message, payload=message.payload[:-7])),
    "latin-1": Fault("INVALID_ENCODING", _payload(b'{"metrics":{"caf\xe9":1}}')),
    "list": Fault("NOT_OBJECT", _payload(b"[1,2,3]")),
    "too-large": Fault("PAYLOAD_TOO_LARGE", _payload(b'{"metrics":{"x":"' + b"x" * 300_000 + b'"}}')),
    "too-many": Fault("TOO_MANY_METRICS", _payload(_MANY)),
    "wrong-token": Fault("TOKEN_INVALID", lambda message: replace(message, token="hid_" + "x" * 43)),
    "other-tenant": Fault(
        "TENANT_MISMATCH",
        lambda message: replace(message, payload=message.payload[:-1] + b',"tenant_id":"somebody-else"}'),
    ),
    "silent": Fault(None, lambda _message: None),
}
