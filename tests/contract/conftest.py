"""The app's own document, without the app running; and journeys through the app that runs."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from core.app import FEATURES, create_app
from core.feature import ActivityKind, Feature
from core.settings import Settings
from tests.contract.journeys import Journey
from tests.contract.promises import SLICES

StartJourney = Callable[..., Journey]


@pytest.fixture(scope="session")
def document(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = Settings.model_validate({"data_dir": tmp_path_factory.mktemp("document")})
    return create_app(settings).openapi()


@pytest.fixture(scope="session")
def grown(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of an app to which a feature was added."""
    settings = Settings.model_validate({"data_dir": tmp_path_factory.mktemp("grown")})
    notes = Feature("notes", activities=(ActivityKind("note", "text", ("notes",)),))
    return create_app(settings, [*FEATURES, notes]).openapi()


@pytest.fixture
def start_journey(document: dict[str, Any], client: httpx.AsyncClient) -> StartJourney:
    """`start_journey("items")`, or through the client of another app."""

    def start(name: str, other: httpx.AsyncClient | None = None) -> Journey:
        return Journey(other or client, document, SLICES[name])

    return start
