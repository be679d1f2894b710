"""Errors, each named by what the caller should do.

A foreign error is wrapped once, in the file that owns the foreign library; ``api/errors.py`` maps these to
HTTP. No message may carry a secret: messages are logged and sent to clients.
"""


class HomeIQError(Exception):
    """Base of every error that HomeIQ raises on purpose."""


class InvalidOptions(HomeIQError):
    """The options cannot be used; the text names the key, what it must be, and the remedy."""


class RetryLater(HomeIQError):
    """The other side is busy, full or away; the same request may work later.

    Attributes:
        after: The seconds that the other side asked for, or None when it gave no advice.
    """

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Misconfigured(HomeIQError):
    """The other side refuses who we are or what we ask for (401, 403, 404): a person must mend a setting."""


class TooLarge(HomeIQError):
    """The request is over a limit; a smaller part of it may work."""


class Rejected(HomeIQError):
    """This will never be accepted as it is; sending it again is futile."""


class Unauthorized(HomeIQError):
    """The bearer token is missing or wrong."""


class Forbidden(HomeIQError):
    """Who asks is known, but may not do this: another token with more scopes may."""


class Conflict(HomeIQError):
    """What is there already stands against it: look at it, and ask for something else."""


class Outdated(HomeIQError):
    """It was changed by somebody else meanwhile: fetch it again, and decide anew."""


class KeyReused(HomeIQError):
    """The Idempotency-Key was used for another request: each thing that is to be done has a key of its own."""


class TooMany(HomeIQError):
    """More was asked than is allowed in this time; the same may work after a while.

    Attributes:
        after: Seconds until then.
    """

    def __init__(self, message: str, *, after: float = 1) -> None:
        super().__init__(message)
        self.after = after


class NotFound(HomeIQError):
    """No such thing, or none that this caller may see: the answer is the same."""


class SequenceHole(HomeIQError):
    """A batch came out of turn; batches between are missing.

    Attributes:
        expected: The sequence number that the stream must send next.
    """

    def __init__(self, *, expected: int, got: int) -> None:
        super().__init__(
            f"batch {got} came, but {expected} is this stream's next: send {expected}, or start a new stream"
        )
        self.expected = expected


class StaleRevision(HomeIQError):
    """What was sent of the registries does not follow what is stored; the text says what to send instead.

    Attributes:
        revision: What is stored of the source, or None when that is nothing.
    """

    def __init__(self, message: str, revision: int | None) -> None:
        super().__init__(message)
        self.revision = revision
