"""Effective settings, with secrets masked."""

import re
from typing import Any

import msgspec

from videoflix.operations.schemas import SettingRead
from videoflix.platform.observability.masking import masked_url
from videoflix.setting_types import SmtpServer
from videoflix.settings import Settings

MASK = "••••••"
SECRET_NAME = re.compile(r"(SECRET|KEY|TOKEN|PASSWORD|CREDENTIAL)S?$")


def effective_settings(settings: Settings) -> list[SettingRead]:
    """Return all settings by variable name, formatted as in the environment."""
    fields = msgspec.structs.fields(settings)
    return [_effective(field, getattr(settings, field.name)) for field in fields]


def _effective(field: msgspec.structs.FieldInfo, value: Any) -> SettingRead:
    name, formatted = field.name.upper(), _format(value)
    is_secret = bool(SECRET_NAME.search(name)) and isinstance(value, str) and value != ""
    shown = MASK if is_secret else masked_url(formatted, MASK)
    return SettingRead(
        name=name,
        value=shown,
        is_default=_format(_default(field)) == formatted,
        is_secret=shown != formatted,
    )


def _default(field: msgspec.structs.FieldInfo) -> Any:
    made = field.default_factory
    return field.default if made is msgspec.NODEFAULT else made()


def _format(value: Any) -> str:
    if value is None or value is msgspec.NODEFAULT:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, SmtpServer):
        scheme = "smtps" if value.implicit_tls else "smtp"
        user = f"{value.user}:{value.password}@" if value.user or value.password else ""
        return f"{scheme}://{user}{value.host}:{value.port}"
    return str(value)
