"""Where options come from: defaults, a TOML file, the app's options, the environment, each overruling those before."""

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import voluptuous as vol

from homeiq_server.errors import InvalidOptions

from . import Declared, Options, contradictions, declared

APP_OPTIONS: Final = Path("/data/options.json")

_PREFIX: Final = "HOMEIQ_"
_DECLARED: Final = {option.name: option for option in declared()}
_LIKE: Final = 0.8  # how alike two names are, from 0 to 1, when one is a slip of the other


class _Given:
    """What the sources say together.

    Attributes:
        values: The last word on each key.
        places: Where that word stands, for people.
        faults: What could not even be read, a sentence each.
    """

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.places: dict[str, str] = {}
        self.faults: list[str] = []

    def add(self, values: Mapping[str, object], place: str) -> None:
        """Let ``values`` overrule what was given so far. An empty text means "not set": the app's form sends those."""
        for key, value in values.items():
            if (kept := _without_empty(value)) not in ("", None):
                self.values[key] = kept
                self.places[key] = place


def load(environment: Mapping[str, str], *, config: Path | None = None) -> Options:
    """Return the options from all sources.

    Args:
        environment: ``HOMEIQ_<KEY>`` sets a key, ``HOMEIQ_CONFIG`` names the TOML file and ``HOMEIQ_OPTIONS`` the app's
            options, which are read when they exist.
        config: The TOML file, before ``HOMEIQ_CONFIG``.

    Raises:
        InvalidOptions: Every fault, one a line.
    """
    given = _Given()
    if path := config or (Path(named) if (named := environment.get("HOMEIQ_CONFIG")) else None):
        _read_toml(given, path)
    if (path := Path(environment.get("HOMEIQ_OPTIONS", APP_OPTIONS))).exists():
        _read_json(given, path)
    _read_environment(given, environment)
    return _checked(given)


def _read_toml(given: _Given, path: Path) -> None:
    try:
        given.add(tomllib.loads(path.read_text(encoding="utf-8")), f"in {path}")
    except (OSError, ValueError) as err:
        given.faults.append(f"the file {path} cannot be read as TOML: {_why(err)}. Correct it, or start without it.")


def _read_json(given: _Given, path: Path) -> None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        given.faults.append(f"the file {path} cannot be read as JSON: {_why(err)}. Save the app's options again.")
        return
    if isinstance(values, dict):
        given.add(values, f"in {path}")
    else:
        given.faults.append(f"the file {path} must hold a JSON object. Save the app's options again.")


def _why(err: Exception) -> str:
    return err.strerror or "it cannot be opened" if isinstance(err, OSError) else str(err)


def _read_environment(given: _Given, environment: Mapping[str, str]) -> None:
    """Read ``HOMEIQ_<KEY>``. An environment is shared: of unknown names, only what looks like a slip is a fault."""
    for name, text in environment.items():
        key = name.removeprefix(_PREFIX).lower()
        if not name.startswith(_PREFIX) or key in ("config", "options", "user"):
            continue
        if option := _DECLARED.get(key):
            given.add({key: _from_text(option, text)}, f"in the environment as {name}")
        elif difflib.get_close_matches(key, _DECLARED, 1, _LIKE):
            given.add({key: text}, f"in the environment as {name}")


def _from_text(option: Declared, text: str) -> object:
    """Return the value that ``text`` spells; left as it is when it spells none, for the check to refuse."""
    match option.kind:
        case "number" | "table":
            return _from_json(text)
        case "list" if not text.lstrip().startswith("["):
            return [item.strip() for item in text.split(",") if item.strip()]
        case "list":
            return _from_json(text)
        case _:
            return text


def _from_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _without_empty(value: object) -> object:
    match value:
        case dict():
            return {key: kept for key, item in value.items() if (kept := _without_empty(item)) not in ("", None)}
        case list():
            return [kept for item in value if (kept := _without_empty(item)) not in ("", None)]
        case _:
            return value


def _checked(given: _Given) -> Options:
    faults = list(given.faults)
    schema = vol.Schema({option.name: option.check for option in _DECLARED.values()})
    try:
        values = schema(given.values)
    except vol.MultipleInvalid as err:
        values = {}
        faults += (_sentence(given, fault) for fault in err.errors)
    faults += (_contradiction(given, key, text) for key, text in contradictions(given.values))
    if faults:
        raise InvalidOptions("\n".join(faults))
    options = Options(**values)
    return replace(options, data_dir=options.data_dir.expanduser())


def _sentence(given: _Given, fault: vol.Invalid) -> str:
    """Tell where the fault is, what is wrong, what would be right, and what to do."""
    key = str(fault.path[0])
    place = given.places.get(key, "")
    if (option := _DECLARED.get(key)) is None:
        alike = difflib.get_close_matches(key, _DECLARED, 1)
        hint = f"Did you mean {alike[0]}?" if alike else "homeiq-server --help lists all."
        return f"option {key} ({place}) does not exist. {hint} Correct or remove it."
    wrong = "there is no such key" if fault.msg == "extra keys not allowed" else fault.msg
    return (
        f"option {_path(fault)} ({place}): {wrong}. It must be {option.shape}."
        f" Correct it, or remove it for the default ({option.default})."
    )


def _contradiction(given: _Given, key: str, text: str) -> str:
    shape = _DECLARED[key].shape
    place = f" ({given.places[key]})" if key in given.places else ""
    return f"option {key}{place} {text}. It must be {shape}. Set or remove both."


def _path(fault: vol.Invalid) -> str:
    first, *rest = fault.path
    return str(first) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest)


def table() -> Iterator[tuple[str, str, str, str]]:
    """Yield each option's name, shape, default and meaning, for documentation."""
    for option in _DECLARED.values():
        yield option.name, option.shape, option.default, option.meaning
