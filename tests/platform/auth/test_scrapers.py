"""Who counts as a monitoring program."""

import httpx
import msgspec
import pytest

from videoflix.platform.auth import scrapers
from videoflix.settings import settings


@pytest.mark.parametrize(
    ("configured", "sent", "status"),
    [
        ("s3cret", "Bearer s3cret", 200),
        ("s3cret", "Bearer S3cret", 401),
        ("s3cret", "s3cret", 401),
        ("s3cret", "Bearer ", 401),
        ("", "Bearer ", 401),
        ("", "", 401),
    ],
)
async def test_the_token_opens_the_details_of_health(
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    configured: str,
    sent: str,
    status: int,
) -> None:
    changed = msgspec.structs.replace(settings, metrics_token=configured)
    monkeypatch.setattr(scrapers, "settings", changed)
    answer = await client.get("/health/details", headers={"Authorization": sent} if sent else {})
    assert answer.status_code == status
