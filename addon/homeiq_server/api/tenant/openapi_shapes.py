"""The schemas of bodies and answers: as msgspec makes them, with the names, times and words that people need."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import inspect

type Json = dict[str, Any]

REFERENCE: Final = "#/components/schemas/{name}"
_ATTRIBUTES: Final = re.compile(r"\n\s*Attributes:\n(?P<lines>.*)", re.DOTALL)
_ATTRIBUTE: Final = re.compile(r"^    (?P<name>\w+): (?P<text>.*(?:\n {5,}.*)*)", re.MULTILINE)
_SPACE: Final = re.compile(r"\s+")


class Shapes:
    """Schemas of several types that share what they have in common.

    Attributes:
        components: Those that others refer to, by name.
    """

    def __init__(self, shapes: Sequence[Any]) -> None:
        """Make the schemas of these types."""
        structs = _structs_of(shapes)
        every = [*shapes, *(each.cls for each in structs)]
        schemas, components = msgspec.json.schema_components(every, schema_hook=_of_any, ref_template=REFERENCE)
        names = _readable(components)
        self._schemas = [_renamed(schema, names) for schema in schemas[: len(shapes)]]
        self._places = {id(shape): place for place, shape in enumerate(shapes)}
        for struct, schema in zip(structs, schemas[len(shapes) :], strict=True):
            _describe(components[_name_in(schema["$ref"])], struct)
        self.components = {
            names[name]: _titled(_renamed(each, names), names[name]) for name, each in components.items()
        }

    def of(self, shape: object) -> Json:
        """Return the schema of one of the types."""
        schema: Json = self._schemas[self._places[id(shape)]]
        return schema

    def inlined(self, shape: object) -> Json:
        """Return it with what it refers to put in its place."""
        schema: Json = _inlined(self.of(shape), self.components)
        return schema


def _of_any(kind: type) -> Json:
    """Return the schema of what msgspec has none for: any JSON value."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise TypeError(f"there is no schema for {kind.__name__}")


def _structs_of(shapes: Sequence[Any]) -> list[inspect.StructType]:
    found = {each.cls: each for info in inspect.multi_type_info(shapes) for each in _within(info)}
    return list(found.values())


def _within(info: inspect.Type) -> Iterator[inspect.StructType]:
    match info:
        case inspect.StructType(fields=fields):
            yield info
            for field in fields:
                yield from _within(field.type)
        case inspect.Metadata(type=inner):
            yield from _within(inner)
        case inspect.UnionType(types=types):
            for each in types:
                yield from _within(each)
        case inspect.CollectionType(item_type=inner) | inspect.DictType(value_type=inner):
            yield from _within(inner)
        case _:
            pass


def _describe(schema: Json, struct: inspect.StructType) -> None:
    """Give fields their words, which stand in the docstring, and times their format."""
    schema["description"] = _ATTRIBUTES.sub("", schema.get("description", "")).strip()
    words = _words(struct.cls)
    for field in struct.fields:
        shape: Json = schema["properties"][field.encode_name]
        if _is_time(field.type):
            _mark_times(shape)
        if field.name in words:
            shape.setdefault("description", words[field.name])


def _words(struct: type) -> dict[str, str]:
    words: dict[str, str] = {}
    for each in reversed(struct.__mro__):
        if found := _ATTRIBUTES.search(f"{each.__doc__ or ''}"):
            lines = _dedented(found["lines"])
            words |= {one["name"]: _SPACE.sub(" ", one["text"]).strip() for one in _ATTRIBUTE.finditer(lines)}
    return words


def _dedented(lines: str) -> str:
    """Return the lines of a docstring, indented as if it were one of a module."""
    indent = min((len(line) - len(line.lstrip()) for line in lines.splitlines() if line.strip()), default=4)
    return "\n".join(" " * 4 + line[indent:] for line in lines.splitlines())


def _is_time(info: inspect.Type) -> bool:
    match info:
        case inspect.Metadata(type=inner):
            return _is_time(inner)
        case inspect.UnionType(types=types):
            return any(map(_is_time, types))
        case _:
            return isinstance(info, inspect.DateTimeType)


def _mark_times(shape: Json) -> None:
    for each in (shape, *shape.get("anyOf", ())):
        if each.get("type") == "string":
            each["format"] = "date-time"


def _readable(components: Mapping[str, Json]) -> dict[str, str]:
    """Return what to call them: msgspec names the modules of those whose name is taken twice."""
    names: dict[str, str] = {}
    for name in components:
        module, _, own = name.rpartition(".")
        noun = module.rpartition(".")[2].removesuffix("_shape").title().replace("_", "")
        names[name] = noun + own.lstrip("_")
    if len(set(names.values())) < len(names):
        raise ValueError(f"two shapes have one name: {sorted(names)}")
    return names


def _titled(schema: Json, name: str) -> Json:
    return {**schema, "title": name}


def _name_in(reference: str) -> str:
    return reference.rpartition("/")[2]


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    match schema:
        case {"$ref": str(reference), **others}:
            return {"$ref": REFERENCE.format(name=names[_name_in(reference)]), **others}
        case dict():
            return {key: _renamed(value, names) for key, value in schema.items()}
        case list():
            return [_renamed(value, names) for value in schema]
        case _:
            return schema


def _inlined(schema: Any, components: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    match schema:
        case {"$ref": str(reference), **others}:
            return {**_inlined(components[_name_in(reference)], components), **others}
        case dict():
            return {key: _inlined(value, components) for key, value in schema.items()}
        case list():
            return [_inlined(value, components) for value in schema]
        case _:
            return schema
