"""The two laws, and what is said when one is broken."""

from homeiq_server.history.spool.totals import ChannelTotals, LineTotals, Totals


def test_totals_that_add_up_have_no_imbalance() -> None:
    events = ChannelTotals(received=10, converted=4, duplicate=3, skipped={"no_value": 2}, rejected={"bad": 1})
    lines = LineTotals(spooled=10, written=4, queued=3, dead=1, dropped={"damage": 1, "overflow": 1})

    assert Totals(intake={"events": events}, lines=lines).imbalances() == []
    assert Totals().imbalances() == []


def test_each_broken_law_is_named_with_its_numbers() -> None:
    totals = Totals(
        intake={"events": ChannelTotals(received=2, converted=1), "telemetry": ChannelTotals()},
        lines=LineTotals(spooled=5, written=6),
    )

    events, lines = totals.imbalances()

    assert events.startswith("events: received 2 items, but 1 are accounted for")
    assert lines.startswith("spooled 5 lines, but 6 are accounted for")


def test_percentiles_are_those_of_the_samples() -> None:
    totals = Totals(commit_s=tuple(n / 100 for n in range(100, -1, -1)))

    assert (totals.commit_percentile_s(50), totals.commit_percentile_s(99)) == (0.5, 0.99)
    assert Totals().commit_percentile_s(50) is None
