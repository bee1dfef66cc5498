"""What a given document breaks of a promised one, in the eyes of a client that was written for the promise.

Requests may only become freer: everything that was accepted still is. Answers may only become richer: every
declared status, media type and field is still there, of the same type, within the same enumerated values.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.contract.document import (
    ABSENT,
    LOWER_BOUNDS,
    RULES,
    UPPER_BOUNDS,
    Document,
    Operation,
    Shape,
)
from tests.contract.notation import JSON

_PROBLEM = "application/problem+json"
_ASKED_FOR = (206, 304)
"""Only answered to a request with Range or If-None-Match, which says that its sender knows them."""


@dataclass(frozen=True, order=True)
class Difference:
    """`where` is an operation and a place in it: `GET /api/items 200 data[].title`."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def differences(promised: Document, given: Document) -> list[Difference]:
    found = {operation.key: operation for operation in given.operations()}
    broken: list[Difference] = []
    for operation in promised.operations():
        if operation.key in found:
            broken += _operation(operation, found[operation.key])
        else:
            broken.append(Difference(str(operation), "is missing"))
    return sorted(set(broken))


def _operation(promised: Operation, given: Operation) -> Iterator[Difference]:
    yield from _parameters(promised, given)
    yield from _body(promised, given)
    yield from _answers(promised, given)


def _parameters(promised: Operation, given: Operation) -> Iterator[Difference]:
    for key, parameter in promised.parameters.items():
        where = f"{promised} {parameter.place} {parameter.name}"
        other = given.parameters.get(key)
        if other is None:
            yield Difference(where, "is missing")
            continue
        if other.required and not parameter.required:
            yield Difference(where, "has become required")
        yield from _accepted(where, parameter.shape, other.shape)
    for key, parameter in given.parameters.items():
        if key not in promised.parameters and parameter.required:
            yield Difference(f"{promised} {parameter.place} {parameter.name}", "is a new required parameter")


def _body(promised: Operation, given: Operation) -> Iterator[Difference]:
    where = f"{promised} body"
    if given.body_required and not promised.body:
        yield Difference(where, "is newly required")
    elif given.body_required and not promised.body_required:
        yield Difference(where, "has become required")
    for media_type, shape in promised.body.items():
        if media_type in given.body:
            yield from _accepted(where, shape, given.body[media_type])
        else:
            yield Difference(where, f"{media_type} is missing")


def _answers(promised: Operation, given: Operation) -> Iterator[Difference]:
    for status, contents in promised.answers.items():
        where = f"{promised} {status}"
        if status not in given.answers:
            yield Difference(where, "is missing")
            continue
        others = given.answers[status]
        for media_type, shape in contents.items():
            if media_type not in others:
                yield Difference(where, f"{media_type} is missing")
            elif media_type == JSON:
                yield from _answered(where, shape, others[media_type])
        for media_type in others.keys() - contents.keys() - {_PROBLEM}:
            yield Difference(where, f"{media_type} is new")
    for status in given.answers.keys() - promised.answers.keys():
        if status < 400 and status not in _ASKED_FOR:
            yield Difference(f"{promised} {status}", "is a new answer to a request that succeeds")
        elif status == 422:
            yield Difference(f"{promised} {status}", "is never answered")


def _accepted(where: str, promised: Shape, given: Shape) -> Iterator[Difference]:
    """Everything that the promised shape lets in must be let in."""
    if (lost := _lost_types(promised, given)) is not None:
        yield Difference(where, f"no longer takes {lost}")
        return
    if given.values is not None and (promised.values is None or promised.values - given.values):
        yield Difference(where, f"no longer takes {_said((promised.values or frozenset()) - given.values)}")
    if given.format is not None and given.format != promised.format:
        yield Difference(where, f"must now be a {given.format}")
    yield from _bounds(where, promised.bounds, given.bounds)
    if promised.default is not ABSENT and promised.default != given.default:
        yield Difference(where, f"no longer defaults to {promised.default!r}")
    for name in sorted(given.required - promised.required):
        yield Difference(f"{where} {name}", "has become required")
    for name, shape in promised.fields.items():
        if name in given.fields:
            yield from _accepted(f"{where} {name}", shape, given.fields[name])
        else:
            yield Difference(f"{where} {name}", "is missing")
    if given.closed and not promised.closed:
        yield Difference(where, "no longer ignores unknown fields")
    if promised.items is not None and given.items is not None:
        yield from _accepted(f"{where}[]", promised.items, given.items)


def _bounds(where: str, promised: Mapping[str, float], given: Mapping[str, float]) -> Iterator[Difference]:
    for name, bound in given.items():
        before = promised.get(name)
        if before == bound or (name in ("minLength", "minItems", "minProperties") and not bound):
            continue
        if name in LOWER_BOUNDS and before is not None and bound <= before:
            continue
        if name in UPPER_BOUNDS and before is not None and bound >= before:
            continue
        if name in RULES and not bound:
            continue
        yield Difference(where, f"{name} is now {bound}")


def _answered(where: str, promised: Shape, given: Shape) -> Iterator[Difference]:
    """Whatever the given shape lets out must be what the promised one let out, with all its fields."""
    if (new := _lost_types(given, promised)) is not None:
        yield Difference(where, f"may now be {new}")
        if promised.types is None or given.types is None or not promised.types & given.types:
            return
    if promised.values is not None and (given.values is None or given.values - promised.values):
        yield Difference(where, f"may now be {_said((given.values or frozenset()) - promised.values)}")
    if _choosable(promised) and given.values is not None and (promised.values or set()) - given.values:
        yield Difference(where, f"is no longer {_said((promised.values or frozenset()) - given.values)}")
    if promised.format is not None and promised.format != given.format:
        yield Difference(where, f"is no longer said to be a {promised.format}")
    for name in sorted(promised.required - given.required):
        yield Difference(f"{where} {name}", "is no longer always there")
    for name, shape in promised.fields.items():
        other = given.fields.get(name, given.extra)
        if other is None:
            yield Difference(f"{where} {name}", "is missing")
        else:
            yield from _answered(f"{where} {name}", shape, other)
    if promised.items is not None:
        if given.items is None:
            yield Difference(f"{where}[]", "may now be anything")
        else:
            yield from _answered(f"{where}[]", promised.items, given.items)


def _choosable(shape: Shape) -> bool:
    """Whether it enumerates words; `success` is just true or false."""
    return shape.values is not None and shape.types == frozenset(["string"])


def _lost_types(promised: Shape, given: Shape) -> str | None:
    """The types of the one that the other has not; None when there are none."""
    if given.types is None:
        return None
    if promised.types is None:
        return "anything"
    wider = given.types | ({"integer"} if "number" in given.types else set())
    lost = promised.types - wider
    return " or ".join(sorted(lost)) if lost else None


def _said(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values))) or "anything"
