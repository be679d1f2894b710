"""Mail to a real receiver."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default

import pytest

from homeiq_server.delivery.mail import Email, Mail
from homeiq_server.delivery.message import Message, Outcome
from homeiq_server.options.declaring import Secret
from tests.integration.delivery.receivers import Mailbox, mailing
from tests.unit.homeiq_server.delivery.messages import message, payload

BOTH = ["a@example.com", "b@example.com"]


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with mailing() as here:
        yield here


def to(mailbox: Mailbox) -> Email:
    return Email(Mail(host="127.0.0.1", port=mailbox.port, security="off", sender="homeiq@example.com"))


def letter(*recipients: str) -> Message:
    told = payload(summary="Zu heiß\r\nBcc: evil@example.com", details={"text": ".\r\n.\r\nRCPT TO:<evil@example.com>"})
    return message("email", {"recipients": list(recipients or BOTH), "subject_prefix": "[HomeIQ]"}, payload=told)


async def test_all_recipients_get_one_mail_and_nobody_else_does(mailbox: Mailbox) -> None:
    assert await to(mailbox).send(letter()) == Outcome(ok=True)
    [(recipients, text)] = mailbox.mails
    assert recipients == BOTH
    read = message_from_bytes(text, policy=default)
    assert read["Subject"] == "[HomeIQ] critical: Zu heiß Bcc: evil@example.com"
    assert read["Bcc"] is None


async def test_a_mail_that_some_recipients_refuse_is_sent_to_the_others_once(mailbox: Mailbox) -> None:
    mailbox.refused = {"a@example.com": "550 nobody"}
    outcome = await to(mailbox).send(letter())
    assert outcome == Outcome(ok=True, error="1 of 2 recipients were refused")
    assert [recipients for recipients, _ in mailbox.mails] == [["b@example.com"]]


@pytest.mark.parametrize(("answer", "final"), [("550 nobody", True), ("450 later", False)])
async def test_whether_a_mail_is_sent_again_is_what_the_server_says(
    mailbox: Mailbox, answer: str, *, final: bool
) -> None:
    mailbox.refused = dict.fromkeys(BOTH, answer)
    outcome = await to(mailbox).send(letter())
    assert (outcome.ok, outcome.final, outcome.status) == (False, final, int(answer[:3]))


async def test_a_server_that_is_busy_is_tried_again(mailbox: Mailbox) -> None:
    mailbox.greeting = "421 busy"
    outcome = await to(mailbox).send(letter())
    assert (outcome.ok, outcome.final) == (False, False)


async def test_no_password_is_given_to_a_server_without_tls(mailbox: Mailbox) -> None:
    mail = Mail(
        host="127.0.0.1",
        port=mailbox.port,
        security="starttls",
        username="u",
        password=Secret("pa55"),
        sender="homeiq@example.com",
    )
    outcome = await Email(mail).send(letter())
    assert (outcome.ok, outcome.final) == (False, False)
    assert "pa55" not in str(outcome)
    assert mailbox.mails == []


async def test_a_server_that_is_away_is_tried_again() -> None:
    async with mailing() as gone:
        pass
    outcome = await to(gone).send(letter())
    assert (outcome.ok, outcome.final) == (False, False)


async def test_without_a_mail_server_no_mail_is_tried_again() -> None:
    assert (await Email(None).send(letter())).final
