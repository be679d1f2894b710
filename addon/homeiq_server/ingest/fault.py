"""Why a message cannot be taken, before it is known whose it is."""

from typing import NamedTuple

from .message import Reason


class Fault(NamedTuple):
    """What is wrong with a message.

    Attributes:
        reason: For programs.
        detail: A sentence that names the fault and the remedy; never a token.
    """

    reason: Reason
    detail: str
