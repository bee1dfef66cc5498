"""The router type of slices, named here so that code below the features need not import the framework."""

from typing import TypeAlias

from fastapi import APIRouter

Router: TypeAlias = APIRouter
