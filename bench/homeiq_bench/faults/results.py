"""The figures of a run: as one flat mapping, and as a Markdown table for the README."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from homeiq_bench.report import Figure

from .baselines import NAMES
from .batteries import AHEAD_DAYS, SHAPES, Foretold
from .batteries import figures as battery_figures
from .homes import REGULAR
from .scoring import Aftermath, Score

type Scores = Mapping[tuple[str, str], Score]

STRENGTHS: Final = ("flapping_4", "flapping_12", "flapping_40")
_BASELINE_RULES: Final = {"fixed_24_h": "silent", "unavailable_only": "offline"}
_ROWS: Final = (
    ("Silent: sensors that report by themselves", "silent", "regular"),
    ("Silent: motion", "silent", "motion"),
    ("Silent: doors and windows", "silent", "contact"),
    ("Unavailable", "offline", "all"),
    ("Flapping, 4 drops a day", "flapping_4", "all"),
    ("Flapping, 12 drops a day", "flapping_12", "all"),
    ("Flapping, 40 drops a day", "flapping_40", "all"),
    ("Stuck thermometers", "stuck", "repeating"),
    ("Stuck thermometers on MQTT, whose repeats nobody sees", "stuck", "temperature"),
    ("Stuck power meters", "stuck", "power"),
    ("Drift of 0.25 °C a day", "drift", "all"),
    ("Impossible values", "impossible", "all"),
    ("Weak link", "link", "all"),
    ("Commands not carried out", "commands", "all"),
)
_TOLD: Final = (
    *((kind, group) for _, kind, group in _ROWS),
    *(("silent", group) for group in REGULAR),
)


def with_sums(scores: Scores) -> dict[tuple[str, str], Score]:
    """Return the scores and those of classes taken together: all, regular, and those whose repeats are seen."""
    found = dict(scores)
    for (kind, group), score in scores.items():
        if group == "all":
            continue
        for together, groups in (("all", None), ("regular", REGULAR), ("repeating", ("ble", "heartbeat"))):
            if groups is None or group in groups:
                found[kind, together] = found.get((kind, together), Score()) + score
    for strength in STRENGTHS:
        if (strength, "all") in found and ("flapping", "all") in found:
            whole = found["flapping", "all"]
            found[strength, "all"] += Score(false=whole.false, device_days=whole.device_days)
    return found


def figures(
    scores: Mapping[str, Scores], aftermaths: Mapping[str, Sequence[Aftermath]], foretold: Sequence[Foretold]
) -> dict[str, Figure]:
    """Return everything that was counted; ``scores`` and ``aftermaths`` by whose they are."""
    found: dict[str, Figure] = {}
    for whose, by_class in scores.items():
        prefix = "" if whose == "homeiq" else f"{whose}_"
        for kind, group in _TOLD:
            score = by_class.get((kind, group))
            if score is not None and score.faults and _BASELINE_RULES.get(whose, kind) == kind:
                found |= {f"{prefix}{kind}_{group}_{name}": value for name, value in _of_score(score)}
        if whose == "homeiq":
            found |= dict(_faultless(by_class))
    for whose, all_of_them in aftermaths.items():
        prefix = "" if whose == "homeiq" else f"{whose}_"
        for kind in sorted({aftermath.kind for aftermath in all_of_them}):
            of_kind = [aftermath for aftermath in all_of_them if aftermath.kind == kind]
            found[f"{prefix}{kind}_most_findings"] = max(aftermath.findings for aftermath in of_kind)
            singles = max(aftermath.about_single_devices for aftermath in of_kind)
            found[f"{prefix}{kind}_most_findings_about_single_devices"] = singles
    return found | dict(battery_figures(foretold))


def _faultless(by_class: Scores) -> Iterator[tuple[str, Figure]]:
    """Yield the rate of false alarms in all, and of kinds that no fault was injected for."""
    whole = [(kind, score) for (kind, group), score in by_class.items() if group == "all" and kind not in STRENGTHS]
    days = max((score.device_days for _, score in whole), default=0)
    if days:
        for kind, score in sorted(whole):
            if not score.faults and score.false:
                yield f"{kind}_false_alarms_per_1000_device_days", round(1_000 * score.false / days, 2)
        everything = sum(score.false for _, score in whole)
        yield "false_alarms_of_any_kind_per_1000_device_days", round(1_000 * everything / days, 2)


def _of_score(score: Score) -> Iterator[tuple[str, Figure]]:
    yield "faults", score.faults
    yield "found_again", score.again
    for name, value, digits in (
        ("recall", score.recall, 3),
        ("precision", score.precision, 3),
        ("median_delay_hours", score.delay_h, 1),
        ("false_alarms_per_1000_device_days", score.false_per_1000_device_days, 2),
    ):
        if value is not None:
            yield name, round(value, digits)


def table(figures: Mapping[str, Figure]) -> str:
    """Return the figures as Markdown."""
    return "\n".join((*_faults(figures), "", *_many(figures), "", *_batteries(figures)))


def _faults(figures: Mapping[str, Figure]) -> Iterator[str]:
    yield "| Fault | Found | Precision | Delay (median) | False alarms per 1,000 device-days | The usual rule |"
    yield "|---|---|---|---|---|---|"
    for label, kind, group in _ROWS:
        name = f"{kind}_{group}"
        if f"{name}_recall" in figures:
            usual = next((rule for rule, of in _BASELINE_RULES.items() if of == kind), None)
            yield f"| {label} | {' | '.join(_cells(figures, name))} | {_usual(figures, usual, name)} |"


def _cells(figures: Mapping[str, Figure], name: str) -> Iterator[str]:
    yield f"{_percent(figures.get(f'{name}_recall'))} of {figures[f'{name}_faults']}"
    yield _percent(figures.get(f"{name}_precision"))
    delay = figures.get(f"{name}_median_delay_hours")
    yield "-" if delay is None else f"{delay} h"
    yield str(figures.get(f"{name}_false_alarms_per_1000_device_days", "-"))


def _usual(figures: Mapping[str, Figure], rule: str | None, name: str) -> str:
    if rule is None or f"{rule}_{name}_recall" not in figures:
        return "none"
    found, precision, delay, false = _cells(figures, f"{rule}_{name}")
    return f"{rule.replace('_', ' ')}: {found}, precision {precision}, {delay}, {false} false"


def _many(figures: Mapping[str, Figure]) -> Iterator[str]:
    yield "| What happens to many at once | Findings | About single devices | Fixed 24 h | Unavailable only |"
    yield "|---|---|---|---|---|"
    ending = "_most_findings_about_single_devices"
    for name in figures:
        kind = name.removesuffix(ending)
        if name.endswith(ending) and not kind.startswith(NAMES):
            of_rules = [str(figures.get(f"{rule}_{kind}_most_findings", "-")) for rule in NAMES]
            counts = [str(figures[f"{kind}_most_findings"]), str(figures[name]), *of_rules]
            yield f"| {kind.replace('_', ' ').capitalize()} | {' | '.join(counts)} |"


def _batteries(figures: Mapping[str, Figure]) -> Iterator[str]:
    yield "| Battery | Ahead | Median error | Within the range | Nothing said |"
    yield "|---|---|---|---|---|"
    for shape in SHAPES:
        for ahead in AHEAD_DAYS:
            name = f"battery_{shape}_{ahead}_days_ahead"
            if f"{name}_abstained_percent" in figures:
                error, within = figures.get(f"{name}_median_error_days"), figures.get(f"{name}_within_range_percent")
                said = ("-", "-") if error is None else (f"{error} days", f"{within} %")
                silence = f"{figures[f'{name}_abstained_percent']} %"
                yield f"| {shape.replace('_', ' ')} | {ahead} days | {' | '.join(said)} | {silence} |"


def _percent(share: Figure) -> str:
    return f"{100 * share:.0f} %" if isinstance(share, int | float) else "-"
