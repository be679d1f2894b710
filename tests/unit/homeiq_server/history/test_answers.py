"""Every row of the table that says what an answer means."""

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.answers import (
    Action,
    Answer,
    Category,
    one_line,
    refusal_of,
    refusal_of_failure,
    refusal_of_question,
    retry_after_s,
)
from tests.unit.homeiq_server.history.spoken_answers import SPOKEN, Spoken, error_1, too_old_1

RETRY, HOLD, HALVE, ISOLATE = Action.RETRY, Action.HOLD, Action.HALVE, Action.ISOLATE

CONFLICT = 'partial write: field type conflict: input field "f" on measurement "m" is type integer, already exists as'


def answer(status: int, text: str = "", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, text)


@pytest.mark.parametrize("spoken", SPOKEN, ids=lambda spoken: f"{spoken.dialect}: {spoken.case}")
def test_each_product_s_own_words_are_understood(spoken: Spoken) -> None:
    refusal = refusal_of(Answer(spoken.status, spoken.headers, spoken.body))
    assert (refusal and (refusal.action, refusal.category)) == spoken.verdict
    if refusal is not None:
        assert (refusal.after, refusal.too_old) == (spoken.after, spoken.too_old)
        assert refusal.reason.startswith(f"{spoken.status}: ")
        assert len(refusal.reason) > len("400: ")


@pytest.mark.parametrize(
    "text",
    [
        f"{too_old_1(3)} and more",
        f"unable to parse 'm f=\"{too_old_1(3)}': missing fields",
        "partial write: points beyond retention policy dropped=",
        "points beyond retention policy dropped=3",
    ],
)
def test_only_the_whole_of_an_answer_says_that_lines_were_too_old(text: str) -> None:
    refusal = refusal_of(answer(400, error_1(text)))
    assert refusal is not None
    assert (refusal.action, refusal.too_old) == (ISOLATE, 0)


@pytest.mark.parametrize(
    "fault", ["unsupported path requested", "missing route for", "database is required", "gzip: invalid header"]
)
def test_a_bad_line_that_speaks_of_a_setting_holds_nobody_up(fault: str) -> None:
    refusal = refusal_of(answer(400, error_1(f"unable to parse 'm f=\"{fault}': missing fields")))
    assert refusal is not None
    assert refusal.action is ISOLATE


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_no_refusal(status: int) -> None:
    assert refusal_of(answer(status)) is None


@pytest.mark.parametrize(
    ("status", "text", "action", "category"),
    [
        (400, '{"code":"invalid","message":"unable to parse \'m\': missing fields"}', ISOLATE, Category.DATA),
        (400, "invalid JSON", ISOLATE, Category.DATA),
        (401, '{"code":"unauthorized","message":"unauthorized access"}', HOLD, Category.AUTH),
        (401, "connection refused: token expired", HOLD, Category.AUTH),
        (402, "", HOLD, Category.CONFIGURATION),
        (403, "", HOLD, Category.AUTH),
        (404, '{"error":"database not found: \\"home\\""}', HOLD, Category.CONFIGURATION),
        (405, "", HOLD, Category.CONFIGURATION),
        (408, "", RETRY, Category.TIMEOUT),
        (413, "", HALVE, Category.DATA),
        (415, "", HOLD, Category.CONFIGURATION),
        (422, '{"message":"invalid field"}', ISOLATE, Category.DATA),
        (422, "unknown author of 3 rows", ISOLATE, Category.DATA),
        (429, "", RETRY, Category.OVERLOADED),
        (500, "timeout", RETRY, Category.OVERLOADED),
        (502, "<html>Bad Gateway</html>", RETRY, Category.NETWORK),
        (503, "request throttled, queue full", RETRY, Category.OVERLOADED),
        (504, "", RETRY, Category.TIMEOUT),
        (507, "", RETRY, Category.OVERLOADED),
        # The status misleads, and is known to.
        (500, CONFLICT, ISOLATE, Category.DATA),
        (503, "unable to parse 'm': missing fields", ISOLATE, Category.DATA),
        (201, '{"error":"partial write of line protocol occurred","data":[]}', ISOLATE, Category.DATA),
        (400, 'unsupported path requested: "/x/api/v2/write"', HOLD, Category.CONFIGURATION),
        (400, "missing route for http://vmauth/api/v2/write", HOLD, Category.CONFIGURATION),
        (400, "Client sent an HTTP request to an HTTPS server.", HOLD, Category.CONFIGURATION),
        (400, "Please provide either orgID or org", HOLD, Category.CONFIGURATION),
        # A redirect would turn the POST into a GET, whose success stores nothing.
        (301, "", HOLD, Category.CONFIGURATION),
        (307, "", HOLD, Category.CONFIGURATION),
        (101, "", HOLD, Category.CONFIGURATION),
    ],
)
def test_the_status_decides(status: int, text: str, action: Action, category: Category) -> None:
    refusal = refusal_of(answer(status, text))
    assert refusal is not None
    assert (refusal.action, refusal.category, refusal.status) == (action, category, status)
    assert refusal.reason.startswith(f"{status}: ")


@pytest.mark.parametrize("status", [200, 400, 422])
def test_a_web_page_is_not_a_database_s_answer(status: int) -> None:
    refusal = refusal_of(answer(status, "<html>Welcome</html>", Content_Type="text/html; charset=utf-8"))
    assert refusal is not None
    assert (refusal.action, refusal.category) == (HOLD, Category.CONFIGURATION)
    assert "a web page, not a database, answered" in refusal.reason


@pytest.mark.parametrize("text", ["auth failed", "token", "connection timeout", "partial write", "field type conflict"])
def test_a_text_never_makes_a_category_of_its_own(text: str) -> None:
    refusal = refusal_of(answer(404, text))
    assert refusal is not None
    assert (refusal.action, refusal.category) == (HOLD, Category.CONFIGURATION)


@pytest.mark.parametrize(
    ("error", "action", "category"),
    [
        (ConnectionRefusedError("auth token"), RETRY, Category.NETWORK),
        (ConnectionResetError(), RETRY, Category.NETWORK),
        (OSError("Name or service not known"), RETRY, Category.NETWORK),
        (TimeoutError(), RETRY, Category.TIMEOUT),
        (ssl.SSLError("wrong version number"), RETRY, Category.NETWORK),
        (ssl.SSLCertVerificationError("self-signed certificate"), HOLD, Category.CONFIGURATION),
        (ValueError("not an address"), HOLD, Category.CONFIGURATION),
    ],
)
def test_a_failure_is_read_by_its_type(error: Exception, action: Action, category: Category) -> None:
    refusal = refusal_of_failure(error)
    assert (refusal.action, refusal.category, refusal.status) == (action, category, None)
    assert refusal.reason


@pytest.mark.parametrize("status", [400, 413, 422])
def test_lines_are_never_at_fault_where_none_were_sent(status: int) -> None:
    refusal = refusal_of_question(answer(status, "unable to parse"))
    assert refusal is not None
    assert refusal.action is HOLD


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("100000", 300.0),
        ("inf", 300.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_advice_to_wait_is_a_number_or_a_date_and_bounded(value: str, seconds: float | None) -> None:
    headers = {"Retry-After": value, "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}
    assert retry_after_s(headers) == seconds
    refusal = refusal_of(Answer(503, headers, ""))
    assert refusal is not None
    assert refusal.after == seconds


def test_no_advice_is_none() -> None:
    assert retry_after_s({}) is None
    assert retry_after_s({"Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT"}) is None


def test_the_database_s_own_words_are_told() -> None:
    refusal = refusal_of(answer(404, '{"code":"not found","message":"bucket \\"home\\" not found"}'))
    assert refusal is not None
    assert refusal.reason == '404: bucket "home" not found'


def test_a_redirect_tells_where_to() -> None:
    refusal = refusal_of(answer(301, Location="https://db.example/api/v2/write?org=x"))
    assert refusal is not None
    assert refusal.reason == "301: redirected to https://db.example/api/v2/write"


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=2_000))
def test_a_reason_is_one_printable_line_of_bounded_length(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 300


@settings(derandomize=True, deadline=None)
@given(st.integers(100, 599), st.text(), st.text(), st.text())
def test_any_answer_has_a_meaning(status: int, text: str, retry_after: str, date: str) -> None:
    refusal = refusal_of(Answer(status, {"Retry-After": retry_after, "Date": date}, text))
    assert refusal is not None or 200 <= status < 300
    assert refusal is None or refusal.after is None or 0 <= refusal.after <= 300
