"""JSON bodies are read as strictly as the OpenAPI document describes them.

Litestar converts bodies as leniently as query strings: 0 would be `false`, and a point in time.
"""

from typing import Any

import msgspec
from litestar import Request

from videoflix.platform.auth.csrf import OLDER_CLIENT
from videoflix.platform.problems import InvalidInput


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body has the types of the route's `data`."""

    async def json(self) -> Any:
        """The body. Raises InvalidInput for a value that only a lenient conversion accepts.

        What no conversion accepts is left to Litestar, which names every field.
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
    """The same value with 14 for 14.0: JSON has one kind of number (JSON Schema, 6.1.1)."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [with_integers(one) for one in value]
    if isinstance(value, dict):
        return {name: with_integers(one) for name, one in value.items()}
    return value


def invalid_input(error: msgspec.ValidationError) -> InvalidInput:
    """A problem that names the field."""
    reason, _, path = str(error).partition(" - at `$.")
    field = path.rstrip("`")
    return InvalidInput(str(error), errors=[{"field": field, "message": reason}])
