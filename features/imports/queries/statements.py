"""Statements about whole batches of rows of one table. $1 is a JSON array of lines (`queries.digests`)."""

from collections.abc import Mapping
from typing import Final

from core.database.import_table import ImportTable, Kind
from features.imports.queries.digests import digest_sql, line_sql

_IDS_AT_ONCE: Final = 10_000

_CASTS: Final[Mapping[Kind, str]] = {
    "integer": "::int",
    "real": "::float8",
    "flag": "::boolean",
    "moment": "::timestamptz",
    "object": "::jsonb",
    "verbatim": "::json",
    "counter": "::int",
}


class Statements:
    """SQL made of a table's declaration; `BulkTable` says what each is for."""

    def __init__(self, declared: ImportTable) -> None:
        table, key, version = declared.name, declared.key, declared.version
        columns = declared.columns
        texts = [name for name, kind in columns.items() if kind != "texts"]
        lists = [name for name, kind in columns.items() if kind == "texts"]
        values = [f"(line -> 0 ->> {texts.index(name)}){_CASTS.get(columns[name], '')}" for name in texts]
        values += [
            f"ARRAY(SELECT jsonb_array_elements_text(line -> {place}))" for place in range(1, len(lists) + 1)
        ]
        names = ", ".join((*texts, *lists, "import_job_id", *(["import_version"] if version else ())))
        insert = (
            f"INSERT INTO {table} ({names}) SELECT {', '.join(values)}, $2::uuid{', 1' if version else ''} "
            "FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS lines(line, place) "
            f"{'' if version else 'ORDER BY place '}ON CONFLICT ({key}) WHERE {key} IS NOT NULL DO"
        )
        self.insert = f"{insert} NOTHING RETURNING {key} AS id, true AS inserted"
        changed = [name for name in columns if name != key]
        after = {name: declared.merged.get(name, f"excluded.{name}") for name in changed}
        compared = [name for name in changed if columns[name] != "key"]
        self.overwrite = (
            f"{insert} UPDATE SET {', '.join(f'{name} = {after[name]}' for name in changed)}, "
            f"import_job_id = excluded.import_job_id, {version} = {table}.{version} + 1, "
            f"import_version = {table}.{version} + 1 "
            f"WHERE ({', '.join(_comparable(f'{table}.{name}', columns[name]) for name in compared)}) "
            f"IS DISTINCT FROM ({', '.join(_comparable(after[name], columns[name]) for name in compared)}) "
            f"RETURNING {key} AS id, xmax = 0 AS inserted"
        )
        self.existing = (
            f"SELECT {table}.{key} AS id FROM unnest($1::text[]) AS source(id) "
            f"JOIN {table} ON {table}.{key} = source.id "
            "WHERE $2::uuid IS NULL OR import_job_id IS DISTINCT FROM $2::uuid"
        )
        counters = [(texts.index(name), name) for name in declared.counters]
        fewer = "".join(
            f" OR {table}.{name} < (pair ->> {place})::int"
            for place, (_, name) in enumerate(counters, start=2)
        )
        versions = f"{version} AS version, import_version" if version else "1 AS version, 1 AS import_version"
        digest = digest_sql(table, columns)
        self.compare = (
            f"SELECT pair ->> 0 AS id, {table}.{key} IS NULL AS missing, "
            f"import_job_id::text AS import_job_id, {versions} FROM jsonb_array_elements($1::jsonb) AS pair "
            f"LEFT JOIN {table} ON {table}.{key} = pair ->> 0 "
            f"WHERE {table}.{key} IS NULL OR {digest} <> pair ->> 1{fewer}"
        )
        self.verdicts = f"""
            WITH source AS (SELECT *, base IS NOT NULL AS known FROM jsonb_to_recordset($1::jsonb)
                AS source(id text, digest text, content text, base text, moved boolean)),
            held AS MATERIALIZED (
                SELECT {key} AS id, {digest} AS digest,
                    {digest_sql(table, columns, declared.incidental)} AS content,
                    {f"{version} IS NOT DISTINCT FROM import_version" if version else "false"} AS as_imported
                FROM {table} WHERE {key} IN (SELECT id FROM source) ORDER BY {key} FOR UPDATE)
            SELECT source.id, CASE
                WHEN held.id IS NULL THEN
                    CASE WHEN NOT known THEN 'new' WHEN moved THEN 'deleted' ELSE 'same' END
                WHEN {"held.digest = source.digest" if version else "true"} THEN 'same'
                WHEN held.content = source.content AND NOT (moved AND (as_imported OR as_known)) THEN 'same'
                WHEN as_imported OR as_known THEN 'changed'
                WHEN NOT moved THEN 'same'
                WHEN known THEN 'edited' ELSE 'taken' END AS verdict
            FROM source LEFT JOIN held ON held.id = source.id,
                LATERAL (SELECT held.digest IS NOT DISTINCT FROM base AS as_known) AS former"""
        more = ", ".join(
            f"{name} = greatest({table}.{name}, (line -> 0 ->> {place})::int)" for place, name in counters
        )
        self.raise_counters = (
            f"UPDATE {table} SET {more} FROM jsonb_array_elements($1::jsonb) AS line "
            f"WHERE {table}.{key} = line -> 0 ->> {texts.index(key)} AND (false"
            + "".join(f" OR {table}.{n} < (line -> 0 ->> {p})::int" for p, n in counters)
            + ")"
        )
        line = line_sql(table, columns.items())
        self.lines = (
            f"SELECT '[' || string_agg({line}, ',') || ']' FROM {table} WHERE {key} = ANY($1::text[])"
        )
        moment = "created_at" if "created_at" in columns else "at"
        self.ids = (
            f"SELECT {moment}::text AS moment, {key} AS id FROM {table} WHERE {key} IS NOT NULL "
            f"AND {moment} >= $1::timestamptz "
            f"AND ({moment} > $1::timestamptz OR {key} > $2) ORDER BY {moment}, {key} LIMIT {_IDS_AT_ONCE}"
        )
        self.states = (
            f"SELECT {key} AS id, added, "
            f"NOT added AND {version} IS NOT DISTINCT FROM import_version AS unchanged, "
            "(SELECT row::text FROM import_after_images WHERE job_id = import_job_id "
            f"AND entity = '{declared.entity}' AND row_id = {key} AND {version} <> import_version) AS was "
            f"FROM {table}, LATERAL (SELECT import_job_id IS NULL OR EXISTS (SELECT FROM import_runs "
            "WHERE job_id = import_job_id AND kind = 'import.csv') AS added) AS origin "
            f"WHERE {key} = ANY($1::text[])"
        )


def _comparable(expression: str, kind: Kind) -> str:
    return f"{expression}::text" if kind == "verbatim" else expression
