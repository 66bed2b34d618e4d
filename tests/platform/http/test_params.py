"""Query parameters, and which request bodies are read at all."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import httpx
import pytest
from litestar import Litestar, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body

from videoflix.platform.auth.csrf import OLDER_CLIENT
from videoflix.platform.http.params import (
    MULTIPART,
    BodyGate,
    ensure_plausible,
    moment_of,
    names_of,
    one_of,
)
from videoflix.platform.problems import InvalidInput, Problem, problem_response


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


def test_known_values_of_a_parameter() -> None:
    assert one_of(Color, "color", "red") is Color.RED
    assert one_of(Color, "color", None) is None
    assert names_of(Color, "any") == {"enum": ["red", "blue", "any"]}


@pytest.mark.parametrize("value", ["", "RED", "red ", "x" * 5_000])
def test_unknown_values_name_the_known_ones(value: str) -> None:
    with pytest.raises(InvalidInput, match="color: expected one of red, blue") as caught:
        one_of(Color, "color", value)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("2026-02-28T12:00:00Z", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("2026-02-28T12:00:00+02:00", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("2026-02-28 12:00:00.5Z", datetime(2026, 2, 28, 12, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_points_in_time(value: str | None, expected: datetime | None) -> None:
    assert moment_of("since", value) == expected


@pytest.mark.parametrize(
    "value", ["", "1767225600", "2026-02-28", "2026-02-28T12:00:00", "2026-02-30T12:00:00Z", "now"]
)
def test_points_in_time_need_a_date_a_time_and_a_zone(value: str) -> None:
    with pytest.raises(InvalidInput, match=r"^since: "):
        moment_of("since", value)


@pytest.mark.parametrize("year", [1970, 2026, 2199])
def test_plausible_years(year: int) -> None:
    ensure_plausible(datetime(year, 1, 1, tzinfo=UTC), None, "text", timedelta(1))


@pytest.mark.parametrize("year", [1, 1969, 2200, 9999])
def test_implausible_years(year: int) -> None:
    with pytest.raises(ValueError, match="from 1970 to 2199"):
        ensure_plausible(None, datetime(year, 1, 1, tzinfo=UTC))


@get("/read")
async def read() -> str:
    return "read"


@post("/json", status_code=200)
async def json() -> str:
    return "json"


@post("/older", opt={OLDER_CLIENT: True}, status_code=200)
async def older() -> str:
    return "older"


@post("/form", status_code=200)
async def form(
    data: Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> str:
    return "form"


@post("/stream", opt=MULTIPART, status_code=200)
async def stream() -> str:
    return "stream"


@pytest.fixture
def gate() -> httpx.AsyncClient:
    """Routes of every kind behind the middleware, without the rest of the application."""
    app: Any = Litestar(
        [read, json, older, form, stream],
        middleware=[BodyGate()],
        exception_handlers={Problem: problem_response},
        openapi_config=None,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


FORM = "multipart/form-data; boundary=x"
URL_ENCODED = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/json", "application/json", 200),
        ("/json", "Application/JSON ; charset=utf-8", 200),
        ("/json", "application/merge-patch+json", 200),
        ("/json", "text/json", 415),
        ("/json", "text/x+json", 415),
        ("/json", "text/plain", 415),
        ("/json", "", 415),
        ("/json", URL_ENCODED, 415),
        ("/json", FORM, 415),
        ("/older", URL_ENCODED, 200),
        ("/older", FORM, 200),
        ("/older", "text/plain", 415),
        ("/form", FORM, 200),
        ("/form", URL_ENCODED, 415),
        ("/stream", FORM, 200),
        ("/stream", "text/plain", 415),
    ],
)
async def test_bodies_are_read_by_their_content_type(
    gate: httpx.AsyncClient, path: str, kind: str, status: int
) -> None:
    """Types that a form of another site can send are for routes that expect them."""
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
    answer = await gate.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code == status, answer.text


async def test_an_empty_body_needs_no_content_type(gate: httpx.AsyncClient) -> None:
    assert (await gate.post("/json")).status_code == 200


@pytest.mark.parametrize(("path", "expected"), [("/json", "JSON body"), ("/form", "multipart")])
async def test_the_problem_says_what_to_send(
    gate: httpx.AsyncClient, path: str, expected: str
) -> None:
    answer = await gate.post(path, content=b"x", headers={"content-type": "text/plain"})
    assert expected in answer.json()["detail"]


@pytest.mark.parametrize(
    ("origin", "authorization", "status"),
    [
        ("http://test", "", 200),
        ("https://evil.example", "", 403),
        ("https://evil.example", "Bearer x", 200),  # a page of another site cannot send this
    ],
)
async def test_changes_of_other_sites_are_refused(
    gate: httpx.AsyncClient, origin: str, authorization: str, status: int
) -> None:
    headers = {"origin": origin} | ({"authorization": authorization} if authorization else {})
    assert (await gate.post("/json", headers=headers)).status_code == status
    assert (await gate.get("/read", headers=headers)).status_code == 200


@pytest.mark.parametrize(("count", "status"), [(0, 200), (128, 200), (129, 400)])
async def test_number_of_query_parameters(gate: httpx.AsyncClient, count: int, status: int) -> None:
    query = "&".join(f"a{number}=1" for number in range(count))
    assert (await gate.get(f"/read?{query}")).status_code == status
