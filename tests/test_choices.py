"""Options of commands that take one of a few words."""

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
    assert f"Invalid value for '{option}': '{word}' is none of {words}." in told
    assert "Value error" not in told
