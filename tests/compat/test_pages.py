"""Pages of the older backends lead to ours."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import app_with, sign_in
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
async def test_pages(session: AsyncSession, page: str, ours: str) -> None:
    site = app_with(dialects=f"{settings.dialects},movies")
    async with await sign_in(site, session, Role.ADMIN) as admin:
        answer = await admin.get(page)
        assert (answer.status_code, answer.headers["location"]) == (302, ours)
        assert (await admin.get(ours)).status_code == 200
