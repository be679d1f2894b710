"""The mail that an alert becomes."""

from email import message_from_bytes
from email.policy import default

from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.delivery.mail import Mail, letter
from homeiq_server.options.declaring import Secret
from tests.unit.homeiq_server.delivery.messages import message, payload

CONFIG = {"recipients": ["a@example.com", "b@example.com"], "subject_prefix": "[HomeIQ]"}
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
}


def test_a_mail_tells_what_happened_in_plain_text() -> None:
    made = letter(message("email", CONFIG), "homeiq@example.com")
    assert made["Subject"] == "[HomeIQ] critical: Too hot"
    assert made["To"] == "a@example.com, b@example.com"
    assert made["Message-ID"] == "<msg_1@example.com>"
    assert made.get_content_type() == "text/plain"
    text = made.get_content()
    assert text.startswith("Too hot\n\nChange: opened\nSeverity: 5 (critical)\n")
    assert '"value": 91.5' in text


@given(st.text(), st.text(), st.text())
def test_nothing_an_alert_says_adds_a_header_or_a_recipient(summary: str, device_id: str, detail: str) -> None:
    told = payload(summary=f"{summary}\r\nBcc: evil@example.com\n", device_id=device_id, details={"text": detail})
    sent = letter(message("email", CONFIG, payload=told), "homeiq@example.com").as_bytes()
    read = message_from_bytes(sent, policy=default)
    assert set(read.keys()) == HEADERS
    assert read["To"].addresses == letter(message("email", CONFIG), "homeiq@example.com")["To"].addresses


def test_the_password_is_not_shown() -> None:
    mail = Mail(host="h", port=25, security="off", username="u", password=Secret("pa55"), sender="a@example.com")
    assert "pa55" not in repr(mail)


def test_secrets_of_a_message_are_not_shown() -> None:
    assert "whsec" not in repr(message(secrets=("whsec_x",)))
