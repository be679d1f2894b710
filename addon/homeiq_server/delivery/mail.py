"""Alerts by email. Owns aiosmtplib: its errors become outcomes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any, Final, Self

import aiosmtplib
import msgspec

from homeiq_server.options.declaring import Secret
from homeiq_server.options.ingest import IngestOptions, SmtpSecurity

from .message import Message, Outcome

_TIMEOUT_S: Final = 20
_LONGEST_ERROR: Final = 200
_LONGEST_SUBJECT: Final = 200
_PERMANENT: Final = range(500, 600)
_SHOWN: Final = ("kind", "device_id", "site_id", "opened_at", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The mail server.

    Attributes:
        sender: Who the mail is from.
    """

    host: str
    port: int
    security: SmtpSecurity
    username: str | None = None
    password: Secret | None = None
    sender: str

    @classmethod
    def of(cls, options: IngestOptions) -> Self | None:
        """Return the one that the options name, None when they name none."""
        if options.smtp_host is None or options.smtp_from is None:
            return None
        return cls(
            host=options.smtp_host,
            port=options.smtp_port,
            security=options.smtp_security,
            username=options.smtp_username,
            password=options.smtp_password,
            sender=options.smtp_from,
        )


class Email:
    """Sends messages by mail; without a mail server none goes."""

    def __init__(self, mail: Mail | None) -> None:
        self._mail = mail

    async def send(self, message: Message) -> Outcome:
        """Send it once, to all recipients together."""
        if self._mail is None:
            return Outcome.refused("there is no mail server: smtp_host is not set")
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await _send(self._mail, message)
        except TimeoutError:
            return Outcome(error=f"the mail server took longer than {_TIMEOUT_S} seconds")
        except aiosmtplib.SMTPException as err:
            return _failure(err)
        except OSError as err:
            return Outcome(error=f"the mail server cannot be reached: {err.strerror or type(err).__name__}")


def letter(message: Message, sender: str) -> EmailMessage:
    """Return the mail; no value of an alert can add a header to it, nor a recipient."""
    told, config = message.payload, message.config
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(config["recipients"])
    mail["Subject"] = _one_line(f"{config['subject_prefix']} {told.get('severity_name')}: {told.get('summary')}")
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{message.message_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # so that no absence note answers
    mail.set_content(_text(told))
    return mail


async def _send(mail: Mail, message: Message) -> Outcome:
    refused, _ = await aiosmtplib.send(
        letter(message, mail.sender),
        sender=mail.sender,
        recipients=list(message.config["recipients"]),
        hostname=mail.host,
        port=mail.port,
        username=mail.username,
        password=mail.password.reveal() if mail.password else None,
        use_tls=mail.security == "tls",
        start_tls=mail.security == "starttls",
        timeout=_TIMEOUT_S,
    )
    if refused:
        return Outcome(ok=True, error=f"{len(refused)} of {len(message.config['recipients'])} recipients were refused")
    return Outcome(ok=True)


def _failure(err: aiosmtplib.SMTPException) -> Outcome:
    match err:
        case aiosmtplib.SMTPAuthenticationError():
            return Outcome(status=err.code, error="the mail server refuses our user or password")
        case aiosmtplib.SMTPRecipientsRefused():
            codes = [each.code for each in err.recipients]
            error = "the mail server refuses every recipient"
            return Outcome(status=codes[0], error=error, final=all(code in _PERMANENT for code in codes))
        case aiosmtplib.SMTPResponseException():
            error = f"the mail server answers {err.code}: {_one_line(err.message)}"[:_LONGEST_ERROR]
            return Outcome(status=err.code, error=error, final=err.code in _PERMANENT)
        case _:
            return Outcome(error=f"the mail server cannot be spoken to: {type(err).__name__}")


def _one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:_LONGEST_SUBJECT]


def _text(told: Mapping[str, Any]) -> str:
    lines = [_one_line(str(told.get("summary"))), ""]
    lines += [f"Change: {told.get('change')}", f"Severity: {told.get('severity')} ({told.get('severity_name')})"]
    lines += [f"{name}: {_one_line(str(told[name]))}" for name in _SHOWN if told.get(name) is not None]
    if details := told.get("details"):
        lines += ["", msgspec.json.format(msgspec.json.encode(details), indent=2).decode()]
    return "\n".join(lines) + "\n"
