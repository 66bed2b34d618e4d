"""The OpenAPI document: equal in every process, and as strict as what reads requests."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar

PRINT = """
import json
from videoflix.app import create_app
print(json.dumps(create_app().openapi_schema.to_schema()))
"""


def document_of(hash_seed: str) -> str:
    """The document as another process writes it."""
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_every_process_writes_the_same_document() -> None:
    # Of these two, Python orders the set of paths of “Refresh tokens” differently.
    assert document_of("0") == document_of("5")


@pytest.fixture(scope="module")
def document(app: Litestar) -> dict[str, Any]:
    return app.openapi_schema.to_schema()


def properties(document: dict[str, Any], struct: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][struct]["properties"]
    return found


def parameter(document: dict[str, Any], path: str, name: str) -> dict[str, Any]:
    found = document["paths"][path]["get"]["parameters"]
    schema: dict[str, Any] = next(one["schema"] for one in found if one["name"] == name)
    return schema


def test_items_of_lists_have_their_limits(document: dict[str, Any]) -> None:
    ids = properties(document, "BulkRequest")["ids"]
    assert ids["items"] == {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}
    assert (ids["minItems"], ids["maxItems"]) == (1, 100)
    assert parameter(document, "/api/v1/watchlist/contains", "ids")["items"]["minimum"] == 1


def test_a_limit_of_zero_is_a_limit(document: dict[str, Any]) -> None:
    (age,) = properties(document, "VideoUpdate")["age_rating"]["oneOf"]
    assert (age["minimum"], age["maximum"]) == (0, 21)
    assert parameter(document, "/api/v1/videos", "year")["minimum"] == 0


def test_bodies_that_refuse_unknown_fields_say_so(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["PlanCreate"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["RatingCreate"], "unknown fields are ignored"
    assert "additionalProperties" not in schemas["PlanRead"]


def test_points_in_time_have_their_years(document: dict[str, Any]) -> None:
    moment, _ = properties(document, "PublishRequest")["publish_at"]["oneOf"]
    assert moment["format"] == "date-time"
    assert moment["pattern"].startswith("^(19[7-9][0-9]|")


def test_text_in_a_query_is_never_null(document: dict[str, Any]) -> None:
    assert parameter(document, "/api/v1/videos", "genre")["type"] == "string"
    assert parameter(document, "/api/v1/videos", "state")["type"] == "string"
    assert {"type": "null"} in parameter(document, "/api/v1/videos", "year")["oneOf"]


def test_uploads_are_described(document: dict[str, Any]) -> None:
    body = document["paths"]["/api/v1/videos"]["post"]["requestBody"]["content"]
    form = body["multipart/form-data"]["schema"]
    assert form["required"] == ["title", "file"]
    assert form["properties"]["file"] == {"type": "string", "format": "binary", "minLength": 1}
    assert body["application/json"]["schema"]["properties"]["tags"]["maxItems"] == 30


def patterns(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        found = value.get("pattern")
        if isinstance(found, str):
            yield found
        for inner in value.values():
            yield from patterns(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from patterns(inner)


def test_patterns_mean_the_same_in_ecma_262(document: dict[str, Any]) -> None:
    found = set(patterns(document))
    assert len(found) > 20
    for pattern in found:
        assert not re.search(r"\\[wWdDbBS]", pattern), f"{pattern}: name the characters"
        if r"\s" in pattern:  # the two languages do not agree on these
            assert r"\s\x00-\x1f\x7f-\x9f" in pattern
        if pattern.endswith("$") and not pattern.endswith(r"[^\x00]*$"):
            assert pattern.endswith(r"(?!\n)$"), f"{pattern}: Python's $ lets a newline through"
