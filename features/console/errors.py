"""Errors of the console."""

from collections.abc import Mapping

from core.errors import Forbidden, Unauthorized
from features.console.schemas import Fault


class SignInNeeded(Unauthorized, code="console.sign_in_needed"):
    """Nobody is signed in; the page to sign in follows."""


class KeyEnded(SignInNeeded, code="console.key_ended"):
    """The key of the session was revoked, or has expired."""


class ForeignForm(Forbidden, code="console.foreign_form"):
    """The form is of another site."""


class FormExpired(Forbidden, code="console.form_expired"):
    """The form is not of this session; `fields` are what was typed into it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("This form is not of your session any more: load the page again and repeat it")
        self.fields = fields


class Unconfirmed(Exception):
    """The form asks a question first; `fields` are what it carries on when the answer is yes."""

    def __init__(self, question: str, fields: Mapping[str, str]) -> None:
        super().__init__(question)
        self.question = question
        self.fields = fields


class Refused(Exception):
    """The API refused something; the page of the error shows it, or the form that it was about."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Repeated(Refused):
    """A form that was sent a second time, as by a reload: it was carried out, and its answer is not kept."""
