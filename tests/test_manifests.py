"""The manifests of the features fit together, and whoever forgets something is told what and where."""

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from core.app import FEATURES
from core.cache import Policy
from core.database.client import Database
from core.database.writes import Rule, Write
from core.feature import ActivityKind, Feature, entities_of, kinds_of, names_by_entity
from core.jobs import JobContext, JobKind, JsonObject

FOLDER = Path(__file__).resolve().parents[1] / "features"


def repeated(features: Sequence[Feature]) -> list[str]:
    """Names, job kinds, cache tags, entities and models that more than one declaration claims."""
    names = [f"feature {feature.name}" for feature in features]
    kinds = [f"job kind {kind.kind}" for kind in kinds_of(features)]
    tags = [f"cache tag {tag}" for feature in features for tag in feature.cache_tags]
    told = [f"activities of {kind.entity}" for feature in features for kind in feature.activities]
    renewed = [f"writes of {model}" for feature in features for model in feature.renews]
    rows = [f"rows called {entity}" for entity in entities_of(features)]
    claims = names + kinds + tags + told + renewed + rows
    return sorted({claim for claim in claims if claims.count(claim) > 1})


def unnamed(features: Sequence[Feature]) -> list[str]:
    """Activities that could not be told: the entry of a change holds no name that was not changed."""
    names = names_by_entity(features)
    return [
        f"features/{feature.name}/feature.py: add {kind.entity!r}, of its activities, to `names_of`"
        for feature in features
        for kind in feature.activities
        if kind.entity not in names
    ]


def undeclared(features: Sequence[Feature], policies: Mapping[str, Sequence[Policy]]) -> list[str]:
    """Tags that a policy carries or a write renews, and no feature has: nothing would ever renew the one, or
    hang on the other.
    """
    known = {tag for feature in features for tag in feature.cache_tags}
    used = [(name, tag) for name, each in policies.items() for policy in each for tag in policy.tags]
    for feature in features:
        for model, rule in feature.renews.items():
            for ids in (("one",), None):
                used += [(feature.name, tag) for tag in rule(Write(model, "delete", ids))]
    return sorted(
        {
            f"features/{name}/cache.py: the tag {tag.partition(':')[0]!r} is in no feature's `cache_tags`"
            for name, tag in used
            if tag.partition(":")[0] not in known
        }
    )


def policies_of(name: str) -> list[Policy]:
    if find_spec(f"features.{name}.cache") is None:
        return []
    values = vars(import_module(f"features.{name}.cache")).values()
    return [value for value in values if isinstance(value, Policy)]


def test_no_two_claim_the_same() -> None:
    assert repeated(FEATURES) == []


def test_rows_that_activities_tell_of_have_names() -> None:
    assert not (told := unnamed(FEATURES)), "\n".join(["", *told])


def test_cache_tags_are_declared() -> None:
    policies = {feature.name: policies_of(feature.name) for feature in FEATURES}
    assert len(policies["items"]) > 1
    assert not (told := undeclared(FEATURES, policies)), "\n".join(["", *told])


def test_features_are_named_after_their_folder() -> None:
    named = {feature.name for feature in FEATURES}
    folders = {path.parent.name for path in FOLDER.glob("*/feature.py")}
    assert named == folders, "features/*/feature.py: `name` is that of the folder"


def test_what_is_claimed_twice_is_seen() -> None:
    async def run(context: JobContext) -> JsonObject:
        return {}

    kind = JobKind("import.twice", run)
    first = Feature("items", jobs=(kind,), cache_tags=("items",))
    second = Feature("ideas", jobs=(kind,), cache_tags=("items", "ideas"), entities=("idea", "idea"))
    assert repeated([first, second]) == ["cache tag items", "job kind import.twice", "rows called idea"]
    assert repeated([first]) == []


def test_activities_without_names_are_seen() -> None:
    async def names_of(db: Database, ids: Collection[str]) -> Mapping[str, str]:
        return {}

    notes = (ActivityKind("note", "text", ("notes",)),)
    [told] = unnamed([Feature("notes", activities=notes)])
    assert told == "features/notes/feature.py: add 'note', of its activities, to `names_of`"
    assert unnamed([Feature("notes", activities=notes, names_of={"note": names_of})]) == []


def test_a_misspelt_tag_is_seen() -> None:
    def renewed(write: Write) -> tuple[str, ...]:
        return ("notes",) if write.ids is None else ("notes.list", *(f"note:{each}" for each in write.ids))

    rules: dict[str, Rule] = {"Note": renewed}
    good = Feature("notes", cache_tags=("notes", "notes.list", "note"), renews=rules)
    one = Policy("notes.note", tags=("notes", "note:{key}"))
    assert undeclared([good], {"notes": [one]}) == []
    [told] = undeclared([good], {"notes": [one, Policy("notes.list", tags=("notes", "note.list"))]})
    assert told == "features/notes/cache.py: the tag 'note.list' is in no feature's `cache_tags`"
    bad = Feature("notes", cache_tags=("notes", "note"), renews=rules)
    [told] = undeclared([bad], {"notes": [one]})
    assert "'notes.list'" in told
