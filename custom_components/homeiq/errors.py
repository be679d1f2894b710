"""What can go wrong between the integration and the app, each named by what the caller should do.

No message carries the token: messages are logged, and shown to people.
"""

from typing import ClassVar


class AppError(Exception):
    """Base of every error of the link.

    Attributes:
        key: The error's name in the translations.
    """

    key: ClassVar[str] = "unexpected_answer"


class CannotConnect(AppError):
    """Nobody answers; the same request may work once the app is back."""

    key = "cannot_connect"


class TimedOut(CannotConnect):
    """No answer in time. The app may have stored what it was sent."""

    key = "timeout_connect"


class Busy(AppError):
    """The app answers that it cannot take this now.

    Attributes:
        after: The seconds that the app asked for, or None when it gave no advice.
    """

    key = "app_busy"

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class InvalidAuth(AppError):
    """The token is wrong: a person, or a new discovery, must bring another."""

    key = "invalid_auth"


class NotHomeIQ(AppError):
    """Something answers, but not as the HomeIQ app does: the URL is wrong."""

    key = "not_homeiq"


class VersionMismatch(AppError):
    """Integration and app do not speak a common version of the link; the subclass names the side to update.

    Attributes:
        app_version: The release of the app that answered.
    """

    def __init__(self, message: str, *, app_version: str) -> None:
        super().__init__(message)
        self.app_version = app_version


class AppTooOld(VersionMismatch):
    """The app must be updated."""

    key = "app_too_old"


class IntegrationTooOld(VersionMismatch):
    """The integration must be updated."""

    key = "integration_too_old"


class OutOfTurn(AppError):
    """The app does not know the batches before this one: start a new stream.

    Attributes:
        expected: The sequence number that the app expects in this stream.
    """

    def __init__(self, expected: int) -> None:
        super().__init__(f"the app expects batch {expected} of this stream")
        self.expected = expected


class StaleRevision(AppError):
    """The app's picture of the registries is not the one that this request builds on: send a whole one.

    Attributes:
        revision: What the app has, None for nothing.
    """

    def __init__(self, revision: int | None) -> None:
        super().__init__(f"the app has revision {revision} of the registries")
        self.revision = revision


class NotFound(AppError):
    """The app does not have what was asked for, or its store of devices is switched off."""


class TooLarge(AppError):
    """The request is over a limit; a smaller part of it may work."""


class Refused(AppError):
    """The app will never accept this request as it is."""
