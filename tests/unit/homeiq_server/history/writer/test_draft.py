"""Lines are sent with other types, or other keys, where the database was seen to refuse the ones they have."""

from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.writer.conflicts import FORGET_S, MAX_RULES, Conflicts, Place, week_of
from homeiq_server.history.writer.draft import Changes, Draft
from homeiq_server.history.writer.field_types import Kind

NOW_US = 1_790_000_000_000_000
WEEK_US = 7 * 86_400_000_000


def refused(measurement: str, field: str, got: Kind, exists: Kind) -> str:
    return (
        f'field type conflict: input field "{field}" on measurement "{measurement}" is type {got}, '
        f"already exists as type {exists}"
    )


def draft(conflicts: Conflicts, *lines: bytes) -> Draft:
    return Draft(lines, precision="us", conflicts=conflicts)


def knowing(line: bytes, why: str) -> Conflicts:
    """Return what is known once a line was refused."""
    conflicts = Conflicts()
    assert draft(conflicts, line).condemns(0, why)
    return conflicts


def sent(conflicts: Conflicts, line: bytes) -> bytes:
    return draft(conflicts, line).sent[0]


def test_what_shows_a_conflict_first_is_a_dead_letter_and_what_comes_after_it_is_coerced() -> None:
    why = refused("m", "f", "integer", "float")
    it = draft(Conflicts(), b"m f=1i 1", b"m f=2i 2", b"m f=3.0 3")
    assert it.condemns(0, why)
    assert not it.condemns(1, why)
    it.retype([1, 2])
    assert it.sent[1:] == [b"m f=2.0 2", b"m f=3.0 3"]


def test_a_number_becomes_a_text_where_texts_are_kept() -> None:
    conflicts = knowing(b"m f=1.5 1", refused("m", "f", "float", "string"))
    assert sent(conflicts, b"m,t=a f=20.50,g=1i 2") == b'm,t=a f="20.50",g=1i 2'


def test_a_text_goes_to_a_key_of_its_own_where_numbers_are_kept() -> None:
    conflicts = knowing(b'm value="on" 1', refused("m", "value", "string", "float"))
    assert sent(conflicts, b'm,t=a value="21",unit="W" 2') == b'm,t=a unit="W",value_string="21" 2'
    assert sent(conflicts, b"m,t=a value=21 2") == b"m,t=a value=21 2"


def test_a_number_that_would_lose_its_fraction_goes_to_a_key_of_its_own() -> None:
    conflicts = knowing(b"m f=1.5 1", refused("m", "f", "float", "integer"))
    assert sent(conflicts, b"m f=2.0 2") == b"m f=2i 2"
    assert sent(conflicts, b"m f=2.5 2") == b"m f_float=2.5 2"


def test_other_measurements_fields_types_and_weeks_are_left_alone() -> None:
    line = b'm f="x" %d' % NOW_US
    conflicts = knowing(line, refused("m", "f", "string", "float"))
    others = [b'm2 f="x" 1', b'm\\ 2 f="x" 1', b'm g="x" 1', b"m f=1 1", b'm f="x" %d' % (NOW_US + WEEK_US), b'm f="x"']
    assert draft(conflicts, *others).sent == others
    assert sent(conflicts, line) == b'm f_string="x" %d' % NOW_US


def test_escaped_names_are_understood() -> None:
    conflicts = knowing(b'my\\ room,t=a in\\ door="x" 1', refused("my room", "in door", "string", "float"))
    assert sent(conflicts, b'my\\ room,t=b in\\ door="y" 2') == b'my\\ room,t=b in\\ door_string="y" 2'


def test_a_field_that_is_refused_at_its_other_key_too_is_a_dead_letter() -> None:
    conflicts = knowing(b'm f="a" 1', refused("m", "f", "string", "float"))
    it = draft(conflicts, b'm f="b" 2')
    assert it.condemns(0, refused("m", "f_string", "string", "float"))
    assert it.sent == [b'm f_string="b" 2']


def test_a_coerced_value_that_is_refused_too_goes_to_a_key_of_its_own() -> None:
    conflicts = knowing(b"m f=1.5 1", refused("m", "f", "float", "string"))
    it = draft(conflicts, b"m f=2.5 2", b"m f=3.5 3")
    for index in range(2):
        assert not it.condemns(index, refused("m", "f", "string", "float"))
    it.retype([0, 1])
    assert it.sent == [b"m f_float=2.5 2", b"m f_float=3.5 3"]


def test_a_key_that_the_line_has_already_is_not_taken() -> None:
    conflicts = knowing(b'm f="a" 1', refused("m", "f", "string", "float"))
    line = b'm f="b",f_string="c" 2'
    assert sent(conflicts, line) == line
    assert draft(conflicts, line).condemns(0, refused("m", "f", "string", "float"))


def test_a_refusal_that_is_no_conflict_teaches_nothing() -> None:
    conflicts = Conflicts()
    assert draft(conflicts, b"m f=1 1").condemns(0, "tag limit exceeded")
    assert draft(conflicts, b"nonsense").condemns(0, refused("m", "f", "float", "string"))
    assert not conflicts


def test_changes_are_counted_but_for_lines_that_were_refused() -> None:
    conflicts = knowing(b"m f=1.5 1", refused("m", "f", "float", "integer"))
    it = draft(conflicts, b"m f=2.0 2", b"m f=2.5 2", b"m f=3.0 2", b"m g=1 2")
    assert it.changes(without={2}) == Changes(coerced=1, diverted=1)


def test_conflicts_are_forgotten_after_a_day_because_shards_are_new() -> None:
    now = [0.0]
    conflicts = Conflicts(lambda: now[0])
    conflicts.remember(Place(b"m", b"f", "string", 0), "float")
    now[0] = FORGET_S - 1
    conflicts.forget_old()
    assert len(conflicts) == 1
    now[0] = FORGET_S
    conflicts.forget_old()
    assert (len(conflicts), conflicts.concern(b"m f=1")) == (0, False)


def test_no_more_than_a_thousand_are_remembered_and_the_oldest_goes() -> None:
    conflicts = Conflicts()
    for number in range(MAX_RULES + 1):
        conflicts.remember(Place(b"m%d" % number, b"f", "string", 0), "float")
    assert len(conflicts) == MAX_RULES
    assert (conflicts.concern(b"m0 f=1"), conflicts.concern(b"m1 f=1")) == (False, True)


def test_nothing_is_remembered_of_another_database() -> None:
    conflicts = knowing(b'm f="a" 1', refused("m", "f", "string", "float"))
    conflicts.clear()
    assert sent(conflicts, b'm f="b" 2') == b'm f="b" 2'


def test_weeks_begin_on_mondays() -> None:
    monday_s = 1_789_948_800  # 2026-09-21T00:00:00Z
    assert week_of(monday_s, "s") == week_of(monday_s - 1, "s") + 1
    assert week_of(monday_s, "s") == week_of((monday_s + 7 * 86_400) * 10**9 - 1, "ns")
    assert week_of(None, "s") == -1


@settings(derandomize=True, deadline=None)
@given(st.text(), st.binary(max_size=30))
def test_no_answer_and_no_line_confuse_it(why: str, line: bytes) -> None:
    conflicts = knowing(b'm f="a" 1', refused("m", "f", "string", "float"))
    assert draft(conflicts, line.replace(b"\n", b" ")).condemns(0, why) in (True, False)
