"""Specifications for other slices: the AsyncAPI document that belongs to an OpenAPI document."""

from features.specs.documents.asyncapi import describe
