"""Pages of the older backends lead to ours."""

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import sign_in
from videoflix import app as application
from videoflix.platform.auth.identity import Role
from videoflix.settings import settings


@pytest.mark.parametrize(
    ("page", "ours"),
    [
        ("/swagger/", "/schema/swagger"),
        ("/redoc/", "/schema/redoc"),
        ("/swagger.json", "/schema/openapi.json"),
        ("/django-rq/", "/admin/jobs"),
        ("/admin/core/", "/admin"),
        ("/api/schema/", "/schema/openapi.json"),
        ("/api/schema/swagger-ui/", "/schema/swagger"),
        ("/api/schema/redoc", "/schema/redoc"),
    ],
)
async def test_pages(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch, page: str, ours: str
) -> None:
    changed = msgspec.structs.replace(settings, dialects=f"{settings.dialects},movies")
    monkeypatch.setattr(application, "settings", changed)
    async with await sign_in(application.create_app(), session, Role.ADMIN) as admin:
        answer = await admin.get(page)
        assert (answer.status_code, answer.headers["location"]) == (302, ours)
        assert (await admin.get(ours)).status_code == 200
