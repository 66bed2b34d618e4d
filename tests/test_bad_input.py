"""Whatever is sent to whatever route: a 4xx problem, never a 500 and never a trace."""

import re

import httpx
import pytest
from litestar import Litestar

from conftest import openapi_document

BODIES = {
    "too deep": b"[" * 100_000,
    "deep objects": b'{"email":' * 50_000,
    "no utf-8": b'{"email": "\xff\xfe", "name": "\xc3\x28"}',
    "lone surrogate": b'{"email": "\\ud800@b.org", "password": "\\udfff12345678"}',
    "not json": b"{",
    "empty": b"",
    "null": b"null",
    "list": b"[1, 2]",
    "huge numbers": b'{"days": 1e999, "name": "a", "limit": 99999999999999999999999999}',
    "nul": b'{"email": "a\\u0000@b.org", "password": "\\u0000", "name": "\\u0000"}',
    "unknown field": b'{"__proto__": {}, "is_superuser": true}',
    "wrong types": b'{"email": {}, "password": [], "token": 1, "name": null, "scope": false}',
}
PLACES = ("1", "0", "-1", "9223372036854775808", "x", "%00", "..%2f..%2fetc%2fpasswd")
# Whose clients know errors of another shape.
ELSEWHERE = {"/movies"}
QUERIES = (
    "limit=-1&offset=x",
    "limit=99999999999999999999&offset=9223372036854775808",
    "search=%00&role=%ff&token=%00&kind=%00&user_id=1e9",
)


def operations() -> list[tuple[str, str]]:
    """Every method and path of the documented API, except those that answer without an end."""
    paths = openapi_document()["paths"]
    return sorted(
        (method.upper(), path)
        for path, item in paths.items()
        for method in item
        if not path.endswith("/events")
    )


@pytest.mark.parametrize(("method", "path"), operations())
async def test_garbage_is_refused_in_a_sentence(
    admin: httpx.AsyncClient, app: Litestar, method: str, path: str
) -> None:
    async def asserts_sane(target: str, body: bytes | None, reason: str) -> None:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        answer = await admin.request(method, target, content=body, headers=headers)
        expected = {200, 201, 202, 204} if answer.status_code < 400 else range(400, 500)
        if path == "/health/ready":
            return
        assert answer.status_code in expected, f"{reason}: {answer.status_code} {answer.text}"
        if answer.status_code >= 400:
            kind = "application/json" if path in ELSEWHERE else "application/problem+json"
            assert answer.headers["content-type"] == kind, reason
            assert "Traceback" not in answer.text

    some = re.sub(r"\{[^}]+\}", "1", path)
    if method in {"POST", "PUT", "PATCH", "DELETE"} and not path.endswith("/logout/all"):
        for reason, body in BODIES.items():
            await asserts_sane(some, body, reason)
    for place in PLACES if "{" in path else ():
        await asserts_sane(re.sub(r"\{[^}]+\}", place, path), None, place)
    for query in QUERIES:
        await asserts_sane(f"{some}?{query}", None, query)
