"""The totals' copy: what it says, when it is written, and that nothing but itself can make it say something else."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.recovery.sidecar import Known, Noted, Sidecar
from homeiq_server.history.spool.rows import Settled
from tests.unit.homeiq_server.history.spool.spool_builders import Clock, intake, make, open_file, put, take

texts = st.text(max_size=20)
numbers = st.integers(0, 2**62)
noted = st.builds(
    Noted,
    server_id=texts,
    at_us=numbers,
    last_row_id=numbers,
    counts=st.lists(st.tuples(texts, texts, texts, numbers), max_size=5).map(tuple),
    sources=st.dictionaries(texts, st.builds(Known, whole_us=st.none() | numbers, seen_us=numbers), max_size=3),
    salvaged=st.lists(texts, max_size=3).map(tuple),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sidecar") / "spool.totals.json"


def read(folder: Path) -> Noted:
    found = Sidecar(folder / "spool.totals.json").read()
    assert found is not None
    return found


@settings(derandomize=True, deadline=None, max_examples=50)
@given(noted)
def test_what_was_written_is_read(path: Path, some: Noted) -> None:
    assert Sidecar(path).write(some)

    assert Sidecar(path).read() == some


@settings(derandomize=True, deadline=None, max_examples=200)
@given(noted, st.data())
def test_a_changed_byte_is_noticed_or_changes_nothing(path: Path, some: Noted, data: st.DataObject) -> None:
    Sidecar(path).write(some)
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)

    found = Sidecar(path).read()
    assert found is None or found == some


def test_it_tells_the_server_and_its_counters_of_the_last_commit_at_close(tmp_path: Path) -> None:
    clock = Clock()
    file = open_file(tmp_path, clock=clock)
    put(file, intake(1, started_us=5, last_us=7))
    put(file, intake(2, last_us=9))
    make(file, Settle((Settled(row_id=take(file)[0].id, written=2, dropped={"too old": 1}),)))
    file.close()

    found = read(tmp_path)

    assert (found.server_id, found.at_us) == (file.server_id, clock.now_us)
    assert found.by_key() == {
        ("events", "received", ""): 6,
        ("events", "converted", ""): 6,
        ("lines", "spooled", ""): 6,
        ("lines", "written", ""): 2,
        ("lines", "dropped", "too old"): 1,
    }
    assert found.sources == {"home": Known(covered_us=5, whole_us=9, written_us=7, seen_us=clock.now_us)}


def test_it_is_written_at_most_every_ten_seconds_and_only_after_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_000.0
    monkeypatch.setattr("homeiq_server.history.spool.recovery.notebook.time.monotonic", lambda: now_s)
    file = open_file(tmp_path)
    file.upkeep()
    assert file.upkeep() is None

    put(file, intake(1))
    assert file.upkeep() == 10.0
    assert read(tmp_path).total("lines", "spooled") == 0
    now_s += 10
    assert file.upkeep() is None
    assert read(tmp_path).total("lines", "spooled") == 3
    file.close()


def test_a_sidecar_that_cannot_be_written_is_said_once_and_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool.totals.json.new").mkdir()
    file = open_file(tmp_path)
    for seq in (1, 2, 3):
        put(file, intake(seq))
        file._notebook._next_s = 0
        file.upkeep()
    file.close()

    assert len([record for record in caplog.records if "cannot be written" in record.getMessage()]) == 1


def test_a_sidecar_of_another_server_is_left_out_of_account(tmp_path: Path) -> None:
    other, ours = tmp_path / "other", tmp_path / "ours"
    file = open_file(other)
    for seq in range(1, 9):
        put(file, intake(seq))
    file.close()
    file = open_file(ours)
    put(file, intake(1))
    file.close()
    (other / "spool.totals.json").replace(ours / "spool.totals.json")

    file = open_file(ours)

    assert file.totals.lines.spooled == 3
    file.close()
