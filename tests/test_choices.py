"""Options and arguments of commands that cannot be taken."""

import pytest

from tests.fixtures.commands import Handover


@pytest.mark.parametrize(
    ("command", "option", "word", "words"),
    [
        (("import", "lowdb", "x"), "--on-conflict", "bad", "skip, overwrite, fail"),
        (("import", "questdb", "x"), "--on-conflict", "bad", "skip, overwrite, fail"),
        (("import", "postgres", "x"), "--on-conflict", "bad", "skip, overwrite, fail"),
        (("keys", "create", "x"), "--scope", "boss", "read, write, admin"),
        (("jobs", "list"), "--state", "gone", "queued, running, succeeded, failed, cancelled"),
    ],
)
async def test_a_word_that_is_no_choice_is_answered_with_those_that_are(
    handover: Handover, command: tuple[str, ...], option: str, word: str, words: str
) -> None:
    refused = await handover(*command, option, word)
    assert refused.code == 2
    told = " ".join(refused.err.replace("│", " ").split())
    quoted = ", ".join(f"'{each}'" for each in words.split(", "))
    assert f"Invalid value for '{option}': '{word}' is not one of {quoted}." in told
    assert "Value error" not in told


@pytest.mark.parametrize(
    ("arguments", "name", "reason"),
    [
        (("jobs", "list", "--limit", "0"), "--limit", "must be at least 1."),
        (("jobs", "list", "--limit", "few"), "--limit", "must be a whole number."),
        (("import", "lowdb", "x", "--max-rejects", "-1"), "--max-rejects", "must be at least 0."),
        (
            ("export", "csv", "nope", "x"),
            "LIST",
            "'nope' is not one of 'items', 'ideas', 'systems', 'files', 'audit'.",
        ),
        (
            ("keys", "create", "x", "--scope", "read", "--expires-in", "5y"),
            "--expires-in",
            "'5y' is no duration; write a number and m, h, d or w (minutes to weeks), such as 90d.",
        ),
    ],
)
async def test_a_value_that_cannot_be_taken_is_answered_by_a_sentence(
    handover: Handover, arguments: tuple[str, ...], name: str, reason: str
) -> None:
    refused = await handover(*arguments)
    assert refused.code == 2
    told = " ".join(refused.err.replace("│", " ").split())
    assert f"Invalid value for '{name}': {reason} ╰" in told
