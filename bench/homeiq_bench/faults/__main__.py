"""Simulated homes with injected faults: how many are found, how soon, and how many false alarms there are.

Beside the rules that people use (nothing seen for 24 hours; unavailable), in the same homes at the same time. Also how
well the ends of batteries are foretold, what the engine costs by event and by entity, and that it keeps to its limit.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from homeiq_bench.report import Figure, arguments, finish, say
from homeiq_server import VERSION

from . import batteries, cost, homes, results
from .batteries import Foretold
from .disturbances import Disturbance, calendar, disturbances
from .household import Household
from .ledger import Opened
from .scoring import Aftermath, Score, aftermaths, scores, unprovoked
from .trial import Course, Trial

_SEEDS, _QUICK_SEEDS = 8, 1
_DAYS, _QUICK_DAYS = 62, 46
_BATTERIES, _QUICK_BATTERIES = 20, 10
_EVERY_S: Final = (900.0, 1_800.0)
_COST_DAYS: Final = 5


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "", _add)
    seeds, days, a_shape = (_QUICK_SEEDS, _QUICK_DAYS, _QUICK_BATTERIES) if asked.quick else (_SEEDS, _DAYS, _BATTERIES)
    seeds = asked.seeds or seeds
    counted: dict[str, dict[tuple[str, str], Score]] = {}
    after: dict[str, list[Aftermath]] = {}
    foretold: list[Foretold] = []
    causeless = 0
    for number in range(asked.first_seed, asked.first_seed + seeds):
        trial = _lived(f"home {number}", days, explain=asked.explain)
        course = trial.course()
        for whose, ledger in course.ledgers.items():
            _add_scores(counted.setdefault(whose, {}), scores(course.home.things, ledger.opened, course.home.span_s))
            otherwise = partial(_without, f"home {number}", days) if whose == "homeiq" else None
            after.setdefault(whose, []).extend(
                aftermaths(course.home.things, course.disturbances, ledger.opened, otherwise)
            )
        causeless += unprovoked(course.disturbances, course.ledgers["homeiq"].opened)
        say(f"home {number}: {len(batteries.SHAPES) * a_shape} batteries")
        foretold += batteries.foretell(f"home {number}", a_shape)
    summed = {whose: results.with_sums(by_class) for whose, by_class in counted.items()}
    figures: dict[str, Figure] = {
        "homes": seeds,
        "days": days,
        "common_causes_found_where_there_was_none": causeless,
        **results.figures(summed, after, foretold),
        **_cost(trial),
    }
    if asked.table:
        print(results.table(figures))
    finish("faults", figures, {"homeiq": VERSION}, check=asked.check)


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", action="store_true", help="print the figures as Markdown, too")
    parser.add_argument("--explain", action="store_true", help="name each false alarm and each fault that was missed")
    parser.add_argument("--seeds", type=int, help="how many homes")
    parser.add_argument("--first-seed", type=int, default=1)


def _without(seed: str, days: int, left_out: Disturbance) -> Sequence[Opened]:
    """Return what is found in the same home when one disturbance does not happen."""
    say(f"{seed} once more, without the {left_out.kind}: would it have been found anyway?")
    trial = _trial(seed, days, left_out)
    trial.run()
    return trial.ledgers["homeiq"].opened


def _trial(seed: str, days: int, left_out: Disturbance | None = None) -> Trial:
    """Return a trial of a home, to be run; how often it is evaluated is the home's own."""
    dates = calendar(seed, days)
    happening = [each for each in disturbances(seed, dates) if each != left_out]
    return Trial(homes.home(seed, Household(seed, dates)), happening, _EVERY_S[int(seed.rpartition(" ")[2]) % 2])


def _lived(seed: str, days: int, *, explain: bool) -> Trial:
    """Return a trial that was run."""
    trial = _trial(seed, days)
    simulated = trial.home
    started_s = time.monotonic()
    entities = len(simulated.rows.entities)
    first = simulated.household.calendar.first
    say(f"{seed}: {len(simulated.things)} devices, {entities} entities, {days} days from {first}")
    trial.run(
        lambda day: None if day % 10 or not day else say(f"{seed}: day {day}, {time.monotonic() - started_s:.0f} s")
    )
    say(f"{seed}: took {time.monotonic() - started_s:.0f} s")
    if explain:
        _explain(trial.course())
    return trial


def _explain(course: Course) -> None:
    """Say what went wrong, so that it can be looked into."""
    start_s, _ = course.home.span_s
    opened = course.ledgers["homeiq"].opened
    things = {thing.device.id: thing for thing in course.home.things}
    for finding in opened:
        thing = things.get(finding.device_id or "")
        faults = [episode.kind for episode in thing.episodes if episode.covers(finding.at_s)] if thing else []
        group = thing.traits.group if thing else ""
        say(f"day {(finding.at_s - start_s) / 86_400:.2f}: {finding.kind} of {finding.subject} {group}: {faults}")
    for thing in course.home.things:
        for episode in thing.episodes:
            kind = episode.kind.partition("_")[0]
            device_id = thing.device.id
            if not any(f.kind == kind and f.device_id == device_id and episode.covers(f.at_s) for f in opened):
                begun = (episode.start_s - start_s) / 86_400
                say(f"missed: {episode.kind} of {device_id} {thing.traits.group}, from day {begun:.2f}")
    for aftermath in aftermaths(course.home.things, course.disturbances, opened):
        say(f"{aftermath.kind}: {aftermath.findings} findings, {', '.join(aftermath.kinds)}")


def _add_scores(into: dict[tuple[str, str], Score], more: Mapping[tuple[str, str], Score]) -> None:
    for key, score in more.items():
        into[key] = into.get(key, Score()) + score


def _cost(trial: Trial) -> dict[str, Figure]:
    say("cost")
    tracked, evicted = cost.tracked_of_too_many()
    return {
        "observe_us_per_event": round(cost.us_per_event(trial.home, _COST_DAYS), 2),
        "memory_bytes_per_entity": round(cost.bytes_per_entity(trial.home, trial.checkpoint)),
        "tracked_of_52000_entities": tracked,
        "evicted_of_52000_entities": evicted,
    }


if __name__ == "__main__":
    main()
