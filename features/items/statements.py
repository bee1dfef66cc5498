"""The statements that the typed client cannot express: full text, a row lock, and whole batches at once."""

from typing import Final

_COLUMNS: Final = "id, title, description, category, priority, status, tags, created_at, updated_at"

_INSERT: Final = f"""
INSERT INTO items ({_COLUMNS}, legacy, import_job_id, import_version)
SELECT {_COLUMNS}, legacy::json, $2::uuid, 1
FROM jsonb_to_recordset($1::jsonb) AS source(
    id text, title text, description text, category text, priority text, status text, tags text[],
    created_at timestamptz, updated_at timestamptz, legacy text)
"""

LOAD_KEEPING: Final = f"""
WITH written AS ({_INSERT} ON CONFLICT (id) DO NOTHING RETURNING 1)
SELECT jsonb_array_length($1::jsonb) AS total, count(*)::int AS inserted, 0 AS updated FROM written
"""

LOAD_OVERWRITING: Final = f"""
WITH written AS ({_INSERT}
    ON CONFLICT (id) DO UPDATE SET
        title = excluded.title, description = excluded.description, category = excluded.category,
        priority = excluded.priority, status = excluded.status, tags = excluded.tags,
        created_at = excluded.created_at, updated_at = excluded.updated_at, legacy = excluded.legacy,
        import_job_id = excluded.import_job_id,
        version = items.version + 1, import_version = items.version + 1
    WHERE (items.title, items.description, items.category, items.priority, items.status,
           items.tags, items.created_at, items.updated_at, items.legacy::text)
        IS DISTINCT FROM
          (excluded.title, excluded.description, excluded.category, excluded.priority, excluded.status,
           excluded.tags, excluded.created_at, excluded.updated_at, excluded.legacy::text)
    RETURNING xmax = 0 AS inserted)
SELECT jsonb_array_length($1::jsonb) AS total,
    count(*) FILTER (WHERE inserted)::int AS inserted, count(*) FILTER (WHERE NOT inserted)::int AS updated
FROM written
"""


def _measured(text: str) -> str:
    return f"length({text}) || ':' || {text}"


def _moment(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


_DIGEST: Final = f"""encode(sha256(convert_to(
    {" || ".join(_measured(f"items.{name}") for name in ("id", "title", "description"))}
    || {" || ".join(_measured(f"items.{name}") for name in ("category", "priority", "status"))}
    || cardinality(items.tags) || '['
    || coalesce((SELECT string_agg({_measured("tag")}, '' ORDER BY place)
        FROM unnest(items.tags) WITH ORDINALITY AS each(tag, place)), '')
    || {_measured(_moment("items.created_at"))}
    || coalesce({_measured(_moment("items.updated_at"))}, '-')
    || coalesce({_measured("items.legacy::text")}, '-'), 'UTF8')), 'hex')"""

COMPARE: Final = f"""
SELECT source.id, items.id IS NULL AS missing, items.import_job_id::text AS import_job_id,
    items.version, items.import_version
FROM unnest($1::text[], $2::text[]) AS source(id, digest)
LEFT JOIN items ON items.id = source.id
WHERE items.id IS NULL OR {_DIGEST} <> source.digest
"""

EXISTING: Final = """
SELECT items.id FROM unnest($1::text[]) AS source(id) JOIN items ON items.id = source.id
WHERE $2::uuid IS NULL OR items.import_job_id IS DISTINCT FROM $2::uuid
"""

# Longer texts are searched as far as this, in characters: the index holds no more words of one row.
_MATCHES: Final = """
FROM items
WHERE to_tsvector('simple'::regconfig, left(title || ' ' || description, 100000))
        @@ to_tsquery('simple'::regconfig, $1)
    AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR category = $3)
    AND ($4::text IS NULL OR priority = $4) AND ($5::text IS NULL OR tags @> ARRAY[$5])
"""

SEARCH: Final = f"""
SELECT {_COLUMNS}, version {_MATCHES}
    AND ($6::timestamptz IS NULL OR created_at <= $6 AND (created_at < $6 OR id > $7))
ORDER BY created_at DESC, id LIMIT $8::int OFFSET $9::int
"""

COUNT_MATCHES: Final = f"SELECT count(*)::int AS total {_MATCHES}"

LOCK: Final = f"SELECT {_COLUMNS}, version FROM items WHERE id = $1 FOR UPDATE"
