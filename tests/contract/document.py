"""Any OpenAPI 3.1 document, read into operations and shapes that can be compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Final

METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options")
LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
RULES: Final = ("pattern", "multipleOf", "uniqueItems")
ABSENT: Final = object()
_NULL: Final = frozenset(["null"])
_TYPE_OF: Final = {bool: "boolean", str: "string", int: "integer", float: "number", type(None): "null"}


@dataclass(frozen=True)
class Shape:
    """What a schema says of a value. `types` and `values` None: any; `extra`: that of undeclared fields."""

    types: frozenset[str] | None = None
    values: frozenset[object] | None = None
    format: str | None = None
    bounds: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: "Shape | None" = None
    extra: "Shape | None" = None
    closed: bool = False
    default: object = ABSENT


ANYTHING: Final = Shape()


@dataclass(frozen=True)
class Given:
    """A parameter; the name of a header in lower case."""

    place: str
    name: str
    required: bool
    shape: Shape


@dataclass(frozen=True)
class Operation:
    """`path` as written; `key` is the same for operations that answer the same requests."""

    method: str
    path: str
    parameters: Mapping[tuple[str, str], Given]
    body: Mapping[str, Shape]
    body_required: bool
    answers: Mapping[int, Mapping[str, Shape]]

    @property
    def key(self) -> tuple[str, str]:
        parts = ["{}" if part.startswith("{") else part for part in self.path.split("/")]
        return self.method, "/".join(parts)

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


class Document:
    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content

    def operations(self) -> Iterator[Operation]:
        for path, entry in self.content.get("paths", {}).items():
            common = entry.get("parameters", [])
            for method in METHODS:
                if method in entry:
                    yield self._operation(method, path, common, entry[method])

    def _operation(self, method: str, path: str, common: list[Any], entry: Mapping[str, Any]) -> Operation:
        parameters = [self._parameter(each) for each in (*common, *entry.get("parameters", []))]
        body = self._resolved(entry.get("requestBody", {}))
        return Operation(
            method,
            path,
            {(each.place, each.name): each for each in parameters},
            self._contents(body),
            bool(body.get("required", False)),
            {
                int(status): self._contents(self._resolved(answer))
                for status, answer in entry["responses"].items()
                if status.isdigit()
            },
        )

    def _parameter(self, entry: Mapping[str, Any]) -> Given:
        entry = self._resolved(entry)
        name = entry["name"].lower() if entry["in"] == "header" else entry["name"]
        return Given(entry["in"], name, bool(entry.get("required")), self.shape(entry.get("schema", {})))

    def _contents(self, entry: Mapping[str, Any]) -> dict[str, Shape]:
        return {media: self.shape(each.get("schema", {})) for media, each in entry.get("content", {}).items()}

    def _resolved(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in entry:
            entry = self._target(entry["$ref"])
        return entry

    def _target(self, reference: str) -> Mapping[str, Any]:
        target: Any = self.content
        for part in reference.removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        found: Mapping[str, Any] = target
        return found

    def shape(self, schema: Mapping[str, Any] | bool, above: tuple[str, ...] = ()) -> Shape:
        """A schema that contains itself is read once; inside itself it may be anything."""
        if isinstance(schema, bool):
            return ANYTHING
        if "$ref" in schema:
            reference: str = schema["$ref"]
            if reference in above:
                return ANYTHING
            referred = self.shape(self._target(reference), (*above, reference))
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return _both(self.shape(rest, above), referred) if rest else referred
        shape = self._own(schema, above)
        for part in schema.get("allOf", ()):
            shape = _both(shape, self.shape(part, above))
        if choices := [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
            shape = _both(shape, reduce(_either, (self.shape(choice, above) for choice in choices)))
        return shape

    def _own(self, schema: Mapping[str, Any], above: tuple[str, ...]) -> Shape:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        extra = schema.get("additionalProperties")
        binary = "contentMediaType" in schema or schema.get("contentEncoding") == "binary"
        return Shape(
            types=_types(schema, values),
            values=None if values is None else frozenset(values),
            format="binary" if binary else schema.get("format"),
            bounds={name: schema[name] for name in (*LOWER_BOUNDS, *UPPER_BOUNDS, *RULES) if name in schema},
            fields={name: self.shape(each, above) for name, each in schema.get("properties", {}).items()},
            required=frozenset(schema.get("required", ())),
            items=self.shape(schema["items"], above) if "items" in schema else None,
            extra=self.shape(extra, above) if isinstance(extra, Mapping) else None,
            closed=extra is False,
            default=schema.get("default", ABSENT),
        )


def _types(schema: Mapping[str, Any], values: list[object] | None) -> frozenset[str] | None:
    said = schema.get("type")
    if isinstance(said, list):
        return frozenset(said)
    if said is not None:
        return frozenset([said])
    if values is not None:
        return frozenset(_TYPE_OF.get(type(value), "object") for value in values)
    return frozenset(["object"]) if "properties" in schema else None


def _both(one: Shape, other: Shape) -> Shape:
    """Both hold. What only one of them says is said."""
    types = one.types if other.types is None else other.types
    if one.types is not None and other.types is not None:
        types = one.types & other.types
    values = one.values if other.values is None else other.values
    if one.values is not None and other.values is not None:
        values = one.values & other.values
    fields = {**one.fields, **other.fields}
    for name in one.fields.keys() & other.fields.keys():
        fields[name] = _both(one.fields[name], other.fields[name])
    return Shape(
        types,
        values,
        one.format or other.format,
        {**other.bounds, **one.bounds},
        fields,
        one.required | other.required,
        one.items or other.items,
        one.extra or other.extra,
        one.closed or other.closed,
        other.default if one.default is ABSENT else one.default,
    )


def _either(one: Shape, other: Shape) -> Shape:
    """One of them holds. Next to null, the other's words are about its own values and stay."""
    if one.types == _NULL:
        one, other = other, one
    types = None if one.types is None or other.types is None else one.types | other.types
    if other.types == _NULL:
        return replace(one, types=types)
    values = None if one.values is None or other.values is None else one.values | other.values
    fields = {**one.fields, **other.fields}
    for name in one.fields.keys() & other.fields.keys():
        fields[name] = _either(one.fields[name], other.fields[name])
    items = one.items or other.items
    if one.items is not None and other.items is not None:
        items = _either(one.items, other.items)
    return Shape(
        types,
        values,
        one.format if one.format == other.format else None,
        {name: bound for name, bound in one.bounds.items() if other.bounds.get(name) == bound},
        fields,
        one.required & other.required,
        items,
        one.extra or other.extra,
        one.closed and other.closed,
        one.default,
    )
