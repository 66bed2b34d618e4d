"""Whatever is sent to whatever path of a dialect: an answer for people, never a fault of ours."""

import re

import httpx
import pytest
from litestar import Litestar

from dialect_docs import paths
from test_bad_input import BODIES, PLACES
from videoflix.compat.registry import DIALECTS

FORM = "application/x-www-form-urlencoded"
OPERATIONS = sorted({(row.method, row.path) for name in DIALECTS for row in paths(name)})


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_garbage_is_refused_in_a_sentence(
    admin: httpx.AsyncClient, app: Litestar, method: str, path: str
) -> None:
    async def asserts_sane(target: str, body: bytes | None, kind: str, reason: str) -> None:
        headers = {"Content-Type": kind} if body is not None else {}
        answer = await admin.request(method, target, content=body, headers=headers)
        assert answer.status_code < 500, f"{reason}: {answer.status_code} {answer.text}"
        assert "Traceback" not in answer.text

    some = re.sub(r"\{[^}]+\}", "1", path)
    if method != "GET":
        for reason, body in BODIES.items():
            await asserts_sane(some, body, "application/json", reason)
        for body in (b"%ff=%00&email=%ff%fe&video_id=%00", b"&&&=&", b"a=1" * 1000):
            await asserts_sane(some, body, FORM, "form")
        broken = b"--x\r\nContent-Disposition: form-data\r\n\r\n"
        await asserts_sane(some, broken, "multipart/form-data; boundary=x", "multipart")
        await asserts_sane(some, b"x", "multipart/form-data", "no boundary")
    for place in PLACES if "{" in path else ():
        await asserts_sane(re.sub(r"\{[^}]+\}", place, path), None, "", place)
    await asserts_sane(f"{some}?limit=%00&page=x", None, "", "query")
