"""The JSON object that a message is: what can be told without knowing whose it is. Never raises for any bytes."""

from typing import Any, Final

import msgspec

from .fault import Fault
from .message import Reason
from .topic import Address

type Body = dict[str, Any]

_DECODER: Final = msgspec.json.Decoder()
_VERSIONS: Final = ("1", 1, None)


def body_of(payload: bytes) -> Body | Fault:
    """Return the object in a payload. Of two members with one name the last counts."""
    try:
        body = _DECODER.decode(payload)
    except RecursionError:
        return Fault(Reason.INVALID_JSON, "it is nested too deeply: send an object with a table of metrics")
    except UnicodeDecodeError:
        return Fault(Reason.INVALID_ENCODING, "it is not UTF-8")
    except ValueError as err:
        return _fault(payload, err)
    if not isinstance(body, dict):
        return Fault(Reason.NOT_OBJECT, "it is JSON, but not an object: send {...}")
    if (version := body.get("version")) not in _VERSIONS or version is True:
        return Fault(Reason.UNSUPPORTED_VERSION, 'its version is another than "1", the only one there is')
    return body


def _fault(payload: bytes, err: ValueError) -> Fault:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return Fault(Reason.INVALID_ENCODING, "it is not UTF-8")
    return Fault(Reason.INVALID_JSON, f"it is not JSON: {err}")


def mismatch(body: Body, address: Address) -> Fault | None:
    """Return what is wrong when the object names another tenant or device than its topic."""
    tenant_id, device_id = body.get("tenant_id"), body.get("device_id")
    if tenant_id is not None and tenant_id != address.tenant_id:
        return Fault(Reason.TENANT_MISMATCH, "its tenant_id is another than that of its topic")
    if device_id is not None and device_id != address.device_id:
        return Fault(Reason.DEVICE_MISMATCH, "its device_id is another than that of its topic")
    return None


def token_in(body: Body) -> str | None:
    """Return the token that the object shows, None when it shows none; what is no text is no token of anybody."""
    token = body.get("token")
    if token is None:
        token = body.get("provision_token")
    return token if token is None or isinstance(token, str) else ""
