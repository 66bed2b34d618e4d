"""The settings in force, without what nobody should read over a shoulder."""

import re
from typing import Any

import msgspec

from videoflix.operations.schemas import SettingRead
from videoflix.setting_types import SmtpServer
from videoflix.settings import Settings

MASK = "••••••"
SECRET_NAME = re.compile(r"(SECRET|KEY|TOKEN|PASSWORD|CREDENTIAL)S?$")
# user:password@ in an address, and ?password=… behind one.
USER_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^\s]*@")
SECRET_PARAMETER = re.compile(r"([?&][^=&]*(?:secret|key|token|password)[^=&]*=)[^&\s,]*", re.I)


def effective_settings(settings: Settings) -> list[SettingRead]:
    """Every setting by its variable's name, as one would type it."""
    fields = msgspec.structs.fields(settings)
    return [_effective(field, getattr(settings, field.name)) for field in fields]


def _effective(field: msgspec.structs.FieldInfo, value: Any) -> SettingRead:
    name, typed = field.name.upper(), _typed(value)
    is_secret = bool(SECRET_NAME.search(name)) and isinstance(value, str) and value != ""
    shown = MASK if is_secret else masked(typed)
    return SettingRead(
        name=name,
        value=shown,
        is_default=_typed(_default(field)) == typed,
        is_secret=shown != typed,
    )


def _default(field: msgspec.structs.FieldInfo) -> Any:
    made = field.default_factory
    return field.default if made is msgspec.NODEFAULT else made()


def masked(text: str) -> str:
    """Addresses without their passwords."""
    return SECRET_PARAMETER.sub(rf"\1{MASK}", USER_PASSWORD.sub(rf"\1:{MASK}@", text))


def _typed(value: Any) -> str:
    if value is None or value is msgspec.NODEFAULT:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, SmtpServer):
        scheme = "smtps" if value.implicit_tls else "smtp"
        user = f"{value.user}:{value.password}@" if value.user or value.password else ""
        return f"{scheme}://{user}{value.host}:{value.port}"
    return str(value)
