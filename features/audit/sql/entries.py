"""Entries that a statement leaves by itself, and so part of its text."""

from typing import Final

from features.audit.schemas import Action

_ENTRIES: Final = """
INSERT INTO audit_entries (entity, entity_id, action, actor, request_id, client, changes)
SELECT '{entity}', changed.id, '{action}', {author}, coalesce((
    SELECT jsonb_object_agg(field, jsonb_build_object('before', old.value, 'after', new.value))
    FROM jsonb_each(changed.before) AS old(field, value)
        FULL JOIN jsonb_each(changed.after) AS new(field, value) USING (field)
    WHERE old.value IS DISTINCT FROM new.value), '{{}}')
FROM {changed} AS changed
"""


def entries_of(changed: str, entity: str, action: Action, *, author: str) -> str:
    """The statement that `features.audit.api.entries_of` describes."""
    return _ENTRIES.format(changed=changed, entity=entity, action=action, author=author)
