"""JSON bodies have the types that the OpenAPI document says, unlike query strings."""

from typing import Any

import httpx
import pytest

PLAN: dict[str, Any] = {"name": "Basic", "price": 799, "currency": "EUR", "streams": 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("is_offered", 0),
        ("is_offered", "true"),
        ("price", "799"),
        ("price", 7.5),
        ("streams", True),
    ],
)
async def test_a_value_of_another_type_is_refused(
    owner: httpx.AsyncClient, field: str, value: object
) -> None:
    answer = await owner.post("/api/v1/plans", json=PLAN | {field: value})
    assert answer.status_code == 400
    assert field in answer.json()["detail"]


async def test_a_number_is_no_point_in_time(editor: httpx.AsyncClient) -> None:
    made = await editor.post("/api/v1/videos", json={"title": "Triangles"})
    path = f"/api/v1/videos/{made.json()['id']}"
    answer = await editor.post(f"{path}/publish", json={"publish_at": 0})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "publish_at"


async def test_a_whole_number_may_be_written_with_a_point(owner: httpx.AsyncClient) -> None:
    answer = await owner.post(
        "/api/v1/plans",
        content=b'{"name": "Basic", "price": 799.0, "currency": "EUR", "streams": 1.0}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 201
    assert (answer.json()["price"], answer.json()["streams"]) == (799, 1)
    draft = await owner.post("/api/v1/videos", json={"title": "Triangles", "release_year": 1999.0})
    assert (draft.status_code, draft.json()["release_year"]) == (201, 1999)
