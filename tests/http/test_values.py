"""The small types that slices build their models from."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from core.errors import (
    ABSENT,
    Crash,
    HandoverError,
    Invalid,
    NotFound,
    RateLimited,
    Unavailable,
)
from core.http.answers.conditional import Precondition, body_etag, entity_tags
from core.http.answers.envelope import Envelope, listed
from core.http.answers.pagination import decode_place, encode_place
from core.http.request.fields import Text, Timestamp, Trimmed, now, to_iso
from core.http.request.validation import shown

LONE = "\ud800"


class TestTimestamps:
    @pytest.mark.parametrize(
        ("given", "written"),
        [
            ("2025-10-23T22:45:24.940Z", "2025-10-23T22:45:24.940Z"),
            ("2025-10-23T22:45:24Z", "2025-10-23T22:45:24.000Z"),
            ("2025-10-23T19:45:24.940-03:00", "2025-10-23T22:45:24.940Z"),
            ("2025-10-23T22:45:24.940999Z", "2025-10-23T22:45:24.940Z"),
            ("2025-10-23T22:45:24", "2025-10-23T22:45:24.000Z"),
            ("2025-10-23", "2025-10-23T00:00:00.000Z"),
            (" 2025-10-23t22:45:24,9405z ", "2025-10-23T22:45:24.940Z"),
            ("20251023T224524+0200", "2025-10-23T20:45:24.000Z"),
            ("2025-10-23 22:45+02", "2025-10-23T20:45:00.000Z"),
            ("0099-01-01T00:00:00Z", "0099-01-01T00:00:00.000Z"),
            ("2025-10-23T24:00:00Z", "2025-10-24T00:00:00.000Z"),
            ("2025-12-31T24:00", "2026-01-01T00:00:00.000Z"),
            ("20251023T240000.000+02", "2025-10-23T22:00:00.000Z"),
            ("2025-W43-4T22:45Z", "2025-10-23T22:45:00.000Z"),
            ("2025W43", "2025-10-20T00:00:00.000Z"),
            ("20251023", "2025-10-23T00:00:00.000Z"),
        ],
    )
    def test_any_iso_timestamp_in_one_form_out(self, given: str, written: str) -> None:
        adapter = TypeAdapter(Timestamp)
        assert adapter.dump_json(adapter.validate_python(given)).decode() == f'"{written}"'

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "tomorrow",
            "2025-10-23x22:45:24",
            "2025-02-30",
            1761259524,
            "1761259524",
            "-1.5",
            True,
            None,
            "2025-10-23T24:00:01",
            "2025-10-23T24:30",
            "2025-W54-1",
            "2025-296",
            "٢٠٢٥-10-23",
            LONE,
        ],
    )
    def test_anything_else_is_refused(self, given: object) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(Timestamp).validate_python(given)

    @pytest.mark.parametrize(
        "given", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-02:00", "9999-12-31T24:00Z", "0000-01-01"]
    )
    def test_instants_out_of_range_say_which_range(self, given: str) -> None:
        with pytest.raises(ValidationError, match="between the years 1 and 9999"):
            TypeAdapter(Timestamp).validate_python(given)

    def test_to_iso(self) -> None:
        plain = datetime(2025, 1, 2, 3, 4, 5, 678_999)  # noqa: DTZ001 - taken as UTC
        assert to_iso(plain) == "2025-01-02T03:04:05.678Z"
        assert to_iso(plain.replace(tzinfo=timezone(timedelta(hours=2)))) == "2025-01-02T01:04:05.678Z"

    def test_now_is_in_stored_precision(self) -> None:
        assert now().microsecond % 1000 == 0
        assert abs(now() - datetime.now(UTC)) < timedelta(seconds=5)


class TestText:
    @pytest.mark.parametrize("given", ["a\0b", LONE, f"é{LONE}"])
    @pytest.mark.parametrize("kind", [Text, Trimmed])
    def test_what_a_database_cannot_hold(self, kind: type[str], given: str) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(given)

    def test_text_is_kept_and_trimmed_text_is_not(self) -> None:
        given = "\ufeff \u00a0\u2003 José 👍\t\n"
        assert TypeAdapter(Text).validate_python(given) == given
        assert TypeAdapter(Trimmed).validate_python(given) == "José 👍"


class TestCursor:
    def test_round_trip(self) -> None:
        parts = ("2025-10-23T22:45:24.940Z", 'id/with "every" thing é👍')
        cursor = encode_place((), *parts)
        assert cursor.isascii()
        assert decode_place((), cursor, str, str) == list(parts)

    @pytest.mark.parametrize(
        "cursor",
        [
            "",
            "x",
            "é",
            "AAAA",
            encode_place((), "one"),
            encode_place((), "a", "b", "c"),
            "WzEsMl0",
            encode_place((), "a", "\0"),
            "W" * 2000,
        ],
    )
    def test_others_are_refused_by_name(self, cursor: str) -> None:
        with pytest.raises(Invalid) as caught:
            decode_place((), cursor, str, str)
        assert caught.value.details[0].field == "cursor"


class TestConditional:
    @pytest.mark.parametrize(
        ("header", "etag", "same"),
        [
            ("*", '"1"', True),
            ('"1"', '"1"', True),
            ('W/"1"', '"1"', True),
            ('"1"', 'W/"1"', True),
            ('"0", "1" ,W/"2"', '"1"', True),
            ('"0","2"', '"1"', False),
            ("1", '"1"', False),
            ('"a,"1","', '"2"', False),
        ],
    )
    def test_if_none_match(self, header: str, etag: str, same: bool) -> None:
        assert Precondition(entity_tags(header.encode())).matches(etag) is same

    def test_tags(self) -> None:
        assert body_etag(b"a").startswith('W/"')
        assert body_etag(b"a") != body_etag(b"b")


class TestEnvelope:
    def test_what_has_no_value_is_left_out(self) -> None:
        class Row(BaseModel):
            id: str

        assert Envelope[Row](data=Row(id="1")).model_dump() == {"success": True, "data": {"id": "1"}}
        page = listed([Row(id="1")], total=9, next_cursor="abc").model_dump(by_alias=True)
        assert page == {"success": True, "count": 1, "total": 9, "nextCursor": "abc", "data": [{"id": "1"}]}
        assert set(listed([Row(id="1")]).model_dump(by_alias=True)) == {"success", "count", "data"}


class TestShownValues:
    @pytest.mark.parametrize(
        ("value", "seen"),
        [
            (None, None),
            (True, True),
            (LONE, "?"),
            (float("inf"), "inf"),
            (2**60, "a number with more than 15 digits"),
            ({"a": [1]}, {"a": [1]}),
            ([LONE], '["\\ud800"]'),
            (b"bytes", ABSENT),
            ([float("nan")], ABSENT),
            ([2**64], "[18446744073709551616]"),
            ({"a": [-(2**53)]}, '{"a": [-9007199254740992]}'),
        ],
    )
    def test_fit_for_an_answer(self, value: object, seen: object) -> None:
        assert shown(value) == seen

    def test_long_ones_are_cut(self) -> None:
        assert len(str(shown(["x" * 500]))) == 100


class TestErrorKinds:
    def test_a_kind_decides_the_status_and_a_class_names_the_case(self) -> None:
        class BookNotFound(NotFound):
            code = "books.not_found"

        error = BookNotFound("Book 1 not found")
        assert (error.status, error.code, str(error)) == (404, "books.not_found", "Book 1 not found")

    def test_mixed_into_another_exception(self) -> None:
        class DriverError(Exception):
            pass

        class Broken(DriverError, Unavailable):
            code = "driver.broken"

        assert Broken("x").status == 503
        assert Broken("x").retry_after == 1

    def test_every_kind_has_one_status(self) -> None:
        own = [kind for kind in HandoverError.__subclasses__() if kind.__module__ == "core.errors"]
        assert {kind.__name__: (kind.status, kind.code) for kind in own} == {
            "Invalid": (400, "invalid"),
            "Unauthorized": (401, "unauthorized"),
            "Forbidden": (403, "forbidden"),
            "NotFound": (404, "not_found"),
            "MethodNotAllowed": (405, "method_not_allowed"),
            "Conflict": (409, "conflict"),
            "Gone": (410, "gone"),
            "PreconditionFailed": (412, "precondition_failed"),
            "TooLarge": (413, "too_large"),
            "UnsupportedMediaType": (415, "unsupported_media_type"),
            "RangeNotSatisfiable": (416, "range_not_satisfiable"),
            "Misdirected": (421, "misdirected"),
            "RateLimited": (429, "rate_limited"),
            "Crash": (500, "crash"),
            "Unavailable": (503, "unavailable"),
        }
        assert Crash("x").status == 500
        assert RateLimited("x", retry_after=7).retry_after == 7
