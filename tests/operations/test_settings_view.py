"""The settings in force, and what of them nobody sees."""

import httpx

from videoflix.operations.settings_view import MASK, effective_settings
from videoflix.settings import read_settings

SECRETS = (
    "s3cret-of-32-characters-and-more-x",
    "old0",
    "db-pass",
    "mail-p%40ss",
    "mail-p@ss",
    "s3key",
)


def test_secrets_are_masked_and_the_rest_is_shown() -> None:
    settings = read_settings(
        {
            "SECRET_KEY": SECRETS[0],
            "PREVIOUS_SECRET_KEYS": SECRETS[1],
            "DATABASE_URL": f"postgresql://films:{SECRETS[2]}@db.example:5432/films?sslmode=require",
            "SMTP_URL": f"smtp://mailer:{SECRETS[3]}@mail.example:587",
            "STORAGE_URL": f"s3://films/media?access_key=a&secret_key={SECRETS[5]}&region=eu",
            "PASSWORD_MIN": "12",
            "PASSWORD_RESET_URL": "https://films.example/reset/{token}",
        }
    )
    shown = {one.name: one for one in effective_settings(settings)}
    assert not [secret for secret in SECRETS if secret in str(shown)]
    assert shown["DATABASE_URL"].value == (
        f"postgresql://films:{MASK}@db.example:5432/films?sslmode=require"
    )
    assert shown["SMTP_URL"].value == f"smtp://mailer:{MASK}@mail.example:587"
    assert shown["STORAGE_URL"].value.endswith(f"secret_key={MASK}&region=eu")
    assert (shown["SECRET_KEY"].value, shown["SECRET_KEY"].is_secret) == (MASK, True)
    assert (shown["PASSWORD_MIN"].value, shown["PASSWORD_MIN"].is_default) == ("12", False)
    assert shown["PASSWORD_RESET_URL"].value == "https://films.example/reset/{token}"
    assert shown["SITE_NAME"].is_default
    unset = {one.name: one for one in effective_settings(read_settings({}))}
    assert (unset["SECRET_KEY"].value, unset["SECRET_KEY"].is_secret) == ("", False)


async def test_settings_are_for_admins(admin: httpx.AsyncClient, editor: httpx.AsyncClient) -> None:
    path = "/api/v1/operations/settings"
    assert (await editor.get(path)).status_code == 403
    shown = {one["name"]: one["value"] for one in (await admin.get(path)).json()}
    assert shown["TIME_ZONE"] == "UTC"
