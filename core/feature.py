"""The manifest that a slice hands to `core.app`: the only thing the platform knows of a feature."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.database.client import Author, Database
    from core.database.writes import Rule
    from core.http.request.access import Principal
    from core.http.routing import Router
    from core.jobs import JobKind, Jobs, JobView
    from core.platform import Platform

    NamesOf = Callable[[Database, Collection[str]], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class ActivityKind:
    """Texts of one entity's audit entries where recent activity is shown: System "Orders API" was
    updated. `name` is the field of an entry that says what the row is called; where the change left it alone,
    the feature's `names_of` says it. `verbs` has the word of each action that is told. An answer that tells
    them hangs on the cache tags `tags`.

    `visible` gives those of the ids that the holder of a key (None: anybody) may be told of; without it
    everybody may, of changes of such rows too.
    """

    entity: str
    name: str
    tags: tuple[str, ...]
    verbs: Mapping[str, str] = field(default_factory=lambda: {"created": "created", "updated": "updated"})
    visible: "Callable[[Database, Collection[str], Principal | None], Awaitable[Collection[str]]] | None" = (
        None
    )


@dataclass(frozen=True, slots=True)
class Feature:
    """`name` is the folder's name; `description` is what the OpenAPI document says of its router's tag. Cache
    tags, job kinds and the entities of activities are unique across the app. `renews` gives, by the model,
    the tags that a write of its rows renews. `follows` names the models of other features whose rows change
    or take away rows of this one when they go (ON DELETE): what is cached of the latter hangs on what such a
    deletion renews.

    `on_change` takes part in changes of other features' rows: by the model, it is called with the client of
    the change's transaction and with what the api of the model's feature says of the change. What it raises
    undoes both; a job that it returns is run after the commit. `names_of` gives, by the entity of audit
    entries, what its rows of these ids are called now; nothing of rows that are gone. `entities` has those of
    its entries whose rows have no names. `needs_objects` gives those of the keys of the store of files that
    its rows refer to. A job that asks all features is a function of them.

    `admin`: with AUTH=keys all its routes need a key of that scope; `own_access`: they need none, and see
    to it themselves whom they answer. `authenticate` returns the holder of an API key, None for an invalid
    one; one feature has it. `on_start` runs beside the first requests of each process; its errors are
    logged and stop nothing.

    `enumerations` has the name in the OpenAPI document of each `Literal` of its fields and parameters.
    """

    name: str
    description: str = ""
    router: "Router | None" = None
    jobs: "tuple[JobKind | Callable[[Sequence[Feature]], JobKind], ...]" = ()
    cache_tags: tuple[str, ...] = ()
    renews: "Mapping[str, Rule]" = field(default_factory=dict)
    follows: tuple[str, ...] = ()
    on_change: "Mapping[str, Callable[[Database, Jobs, Author, Any], Awaitable[JobView | None]]]" = field(
        default_factory=dict
    )
    activities: tuple[ActivityKind, ...] = ()
    names_of: "Mapping[str, NamesOf]" = field(default_factory=dict)
    entities: tuple[str, ...] = ()
    enumerations: Mapping[str, object] = field(default_factory=dict)
    needs_objects: "Callable[[Database, Sequence[str]], Awaitable[frozenset[str]]] | None" = None
    admin: bool = False
    own_access: bool = False
    authenticate: "Callable[[Platform, str], Awaitable[Principal | None]] | None" = None
    on_start: "Callable[[Platform], Awaitable[None]] | None" = None


def kinds_of(features: Sequence[Feature]) -> "list[JobKind]":
    """The kinds of job of a process that has these features."""
    kinds = (kind for feature in features for kind in feature.jobs)
    return [kind(features) if callable(kind) else kind for kind in kinds]


def rules_of(features: Sequence[Feature]) -> "dict[str, Rule]":
    """By the model, the rule of the cache tags that a write of its rows renews."""
    return {model: rule for feature in features for model, rule in feature.renews.items()}


def open_entities(features: Sequence[Feature]) -> frozenset[str]:
    """The entities of whose rows, by their activities, everybody may be told."""
    return frozenset(kind.entity for each in features for kind in each.activities if kind.visible is None)


def entities_of(features: Sequence[Feature]) -> tuple[str, ...]:
    """The entities of audit entries, and so of changes."""
    return tuple(entity for each in features for entity in (*each.names_of, *each.entities))


def names_by_entity(features: Sequence[Feature]) -> "dict[str, NamesOf]":
    """By the entity of audit entries, what gives its rows' present names."""
    return {entity: names_of for feature in features for entity, names_of in feature.names_of.items()}
