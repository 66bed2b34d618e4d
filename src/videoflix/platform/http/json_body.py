"""Strict validation of JSON bodies, as described in the OpenAPI document.

Litestar converts bodies as leniently as query strings: 0 would be valid as `false` or a timestamp.
"""

from typing import Any

import msgspec
from litestar import Request

from videoflix.platform.auth.csrf import OLDER_CLIENT
from videoflix.platform.problems import InvalidInput


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is validated strictly."""

    async def json(self) -> Any:
        """Return the body. Raises InvalidInput for a value that only a lenient conversion accepts.

        Values that are invalid either way are left to Litestar, which reports every field.
        """
        body = await super().json()
        field = self.route_handler.parsed_data_field
        if field is not None and not self.route_handler.opt.get(OLDER_CLIENT):
            refuse_lenient(body, field.annotation)
        return body


def refuse_lenient(body: Any, kind: Any) -> None:
    """Raises InvalidInput for a value that only a lenient conversion accepts."""
    try:
        msgspec.convert(with_integers(body), kind, str_keys=True)
    except msgspec.ValidationError as error:
        try:
            msgspec.convert(body, kind, strict=False, str_keys=True)
        except msgspec.ValidationError:
            return
        raise invalid_input(error) from error


def with_integers(value: Any) -> Any:
    """Convert 14.0 to 14, recursively: JSON has one type of number (JSON Schema, 6.1.1)."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [with_integers(one) for one in value]
    if isinstance(value, dict):
        return {name: with_integers(one) for name, one in value.items()}
    return value


def invalid_input(error: msgspec.ValidationError) -> InvalidInput:
    """Convert a validation error to a problem that names the field."""
    reason, _, path = str(error).partition(" - at `$.")
    field = path.rstrip("`")
    return InvalidInput(str(error), errors=[{"field": field, "message": reason}])
