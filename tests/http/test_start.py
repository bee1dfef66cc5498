"""What features do when a process starts: beside its first requests, and never in their way."""

from structlog.testing import capture_logs

from core.app import create_app
from core.feature import Feature
from core.platform import Platform
from core.settings import Settings
from features.health.feature import feature as health
from tests.fixtures.application import client_of, lifespan_of
from tests.fixtures.waiting import wait_for


async def test_a_start_that_fails_is_logged_and_stops_nothing(settings: Settings) -> None:
    started: list[bool] = []

    async def succeed(platform: Platform) -> None:
        started.append("/health" in str(platform.openapi()["paths"]))

    async def fail(platform: Platform) -> None:
        raise RuntimeError("broken")

    features = (health, Feature("broken", on_start=fail), Feature("sound", on_start=succeed))
    app = create_app(settings, features)
    with capture_logs() as logs:
        async with lifespan_of(app), client_of(app) as client:
            await wait_for(lambda: started)
            assert (await client.get("/health")).status_code == 200
    assert started == [True]
    [failure] = [entry for entry in logs if entry["event"] == "app.start_failed"]
    assert failure["feature"] == "broken"
