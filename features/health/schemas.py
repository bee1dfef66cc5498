"""Answers about the service itself."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.http.answers.envelope import ErrorBody
from core.http.request.fields import LEFT_OUT_IF_NONE, Timestamp, always_there

DependencyStatus = Literal["up", "down", "off"]
DatabaseStatus = Literal["healthy", "error"]
HealthStatus = Literal["healthy", "degraded"]
Readiness = Literal["ready", "not ready"]
Dependency = Literal["database", "cache", "engine"]


class Check(BaseModel):
    """`latencyMs` is how long the answer took; absent when none came."""

    model_config = ConfigDict(populate_by_name=True)

    status: DependencyStatus
    latency_ms: float | None = Field(default=None, alias="latencyMs", **LEFT_OUT_IF_NONE)


class DatabaseHealth(BaseModel):
    """`connections` are those that the pool holds."""

    model_config = ConfigDict(populate_by_name=True, json_schema_extra=always_there("engine"))

    engine: Literal["postgres"] = "postgres"
    status: DatabaseStatus
    connections: int
    latency_ms: float | None = Field(default=None, alias="latencyMs", **LEFT_OUT_IF_NONE)


class Health(BaseModel):
    """The answers of both old services, in one."""

    model_config = ConfigDict(populate_by_name=True, json_schema_extra=always_there("dbStrategy"))

    status: HealthStatus
    service: str
    version: str
    timestamp: Timestamp
    db_strategy: Literal["postgres"] = Field(default="postgres", alias="dbStrategy")
    database: DatabaseHealth


class UnhealthyBody(Health, ErrorBody):
    """503: the health answer and the error shape at once."""

    model_config = ConfigDict(json_schema_extra=always_there("success", "dbStrategy"))


class Live(BaseModel):
    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """`draining`: the process is about to stop. Without its cache the service is slower, but ready."""

    status: Readiness
    draining: bool
    checks: dict[Dependency, Check]


class Endpoints(BaseModel):
    """`api` names what is mounted below the API's root."""

    model_config = ConfigDict(json_schema_extra=always_there("health", "documentation", "openapi", "metrics"))

    health: str = "/health"
    documentation: str = "/docs"
    openapi: str = "/openapi.json"
    asyncapi: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    metrics: str = "/metrics"
    api: dict[str, str]


class Info(BaseModel):
    model_config = ConfigDict(json_schema_extra=always_there("success"))

    success: Literal[True] = True
    service: str
    version: str
    endpoints: Endpoints
