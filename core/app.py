"""Puts the app together: settings, layers, features, and the life of what they stand on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute

from core.cache import Cache
from core.database.client import Database
from core.feature import Feature
from core.http import docs, errors, openapi, system
from core.http.body import BodyLimit
from core.http.client import ClientResolver
from core.http.compression import Compression
from core.http.cors import Cors
from core.http.edge import Edge
from core.http.gate import Gate
from core.http.lifecycle import drain_on_signal, end_with_parent
from core.http.rate_limit import RateLimiter
from core.jobs import JobKind, Jobs
from core.observability import logging
from core.platform import Platform
from core.settings import Settings, load_settings
from features.audit.feature import feature as audit
from features.imports.feature import feature as imports
from features.items.feature import feature as items
from features.jobs.feature import feature as jobs_view

FEATURES: Final[tuple[Feature, ...]] = (items, audit, jobs_view, imports)

log = structlog.get_logger("handover.app")

_DESCRIPTION: Final = """\
The idea bank of two older services behind one door, with their paths and shapes kept.

Every error has one shape (`ErrorBody`), or RFC 9457 with `Accept: application/problem+json`.
Lists take `limit`, `offset` and `cursor`; reads carry an `ETag` and answer `If-None-Match` with 304.
"""
_TAGS: Final = [
    {"name": "Items", "description": "The idea bank"},
    {"name": "Imports", "description": "Legacy data comes in"},
    {"name": "Jobs", "description": "Work in the background: state, progress, cancelling"},
    {"name": "Audit", "description": "Who changed what, and when"},
    {"name": "Health", "description": "Is it there, does it work"},
    {"name": "Observability", "description": "Figures"},
]


def create_app(settings: Settings | None = None, features: Sequence[Feature] = FEATURES) -> FastAPI:
    """The app of one process. Without `settings` they are read from the environment. Raises SettingsError."""
    settings = settings or load_settings()
    logging.configure(settings)
    app = FastAPI(
        title="Handover",
        version=system.service_version(),
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.job_kinds = tuple(kind for feature in features for kind in feature.jobs)
    # Routes are tried in turn: those that are asked most come first.
    for router in (*(feature.router for feature in features if feature.router), system.router, docs.router):
        app.include_router(router)
    app.state.endpoints = _endpoints(features)
    errors.install(app)
    openapi.install(app)
    _install_layers(app, settings)
    return app


def _install_layers(app: FastAPI, settings: Settings) -> None:
    """Added from the inside out: the last is the first that a request meets."""
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(Compression, minimum_size=settings.gzip_min_bytes)
    limit = settings.rate_limit_max
    limiter = RateLimiter(limit, settings.rate_limit_window_s) if limit else None
    app.add_middleware(Gate, limiter=limiter)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(Edge, clients=ClientResolver(settings.trusted_proxies))


def _endpoints(features: Sequence[Feature]) -> dict[str, str]:
    """Each feature's collection: the shortest path that takes GET and no parameter."""
    found: dict[str, str] = {}
    for feature in features:
        routes = feature.router.routes if feature.router else []
        paths = [
            route.path
            for route in routes
            if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and "{" not in route.path
        ]
        if paths:
            found[feature.name] = min(paths, key=len)
    return found


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start in order, stop in reverse: jobs give back their leases while cache and database still answer."""
    settings: Settings = app.state.settings
    kinds: tuple[JobKind, ...] = app.state.job_kinds
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(end_with_parent())
        db = Database.from_settings(settings)
        await db.connect()
        stack.push_async_callback(db.disconnect)
        cache = Cache.from_settings(settings)
        await cache.start()
        stack.push_async_callback(cache.close)
        draining = asyncio.Event()
        jobs = Jobs(db, cache, settings, kinds, draining=draining)
        await jobs.start()
        stack.push_async_callback(jobs.stop)
        app.state.platform = Platform(settings=settings, db=db, cache=cache, jobs=jobs, draining=draining)
        stack.enter_context(drain_on_signal(draining))
        stack.callback(draining.set)
        log.info("app.started", features=list(app.state.endpoints))
        yield
        log.info("app.stopping")
