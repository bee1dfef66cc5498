"""`handover keys`: without a server, on the database itself."""

import re

import pytest

from tests.fixtures.commands import Handover


async def test_keys_are_made_listed_and_revoked(handover: Handover) -> None:
    made = await handover("keys", "create", "ops", "--scope", "admin", "--expires-in", "90d")
    assert made.code == 0, made.err
    found = re.search(r"^key +(hv_([0-9a-f]{12})_[0-9a-f]{64})$", made.out, re.MULTILINE)
    assert found is not None
    key, key_id = found.groups()
    assert "shown this once" in made.err
    listed = await handover("keys", "list")
    assert re.search(rf"^{key_id} +ops +admin +valid +\d{{4}}-", listed.out, re.MULTILINE)
    assert key.rpartition("_")[2] not in listed.out + listed.err + made.err
    assert (await handover("keys", "revoke", key_id)).out == f"Key {key_id} of ops is revoked.\n"
    assert re.search(rf"^{key_id} +ops +admin +revoked", (await handover("keys", "list")).out, re.MULTILINE)
    unknown = await handover("keys", "revoke", "0123456789ab")
    assert (unknown.code, unknown.out) == (1, "")
    assert "API key with id 0123456789ab not found" in unknown.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("x", "--scope", "root"), "root"),
        (("x",), "--scope"),
        (("x", "--scope", "read", "--expires-in", "soon"), "such as 90d"),
        (("", "--scope", "read"), "must not be empty"),
        (("x" * 41, "--scope", "read"), "at most 40 characters"),
    ],
)
async def test_what_cannot_be_made_is_one_sentence(
    handover: Handover, arguments: tuple[str, ...], sentence: str
) -> None:
    outcome = await handover("keys", "create", *arguments)
    assert outcome.code == 2
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err
