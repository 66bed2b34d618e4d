"""Parse bodies of older clients: JSON or forms; unknown fields are ignored."""

import re
from typing import Annotated, Any, TypeVar, get_args
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType

from videoflix.accounts import schemas as accounts
from videoflix.compat.drf.errors import BLANK, NON_FIELD, REQUIRED, DrfError
from videoflix.platform.http.params import BIGINT_MAX
from videoflix.platform.problems import UnsupportedMediaType

FIELDS_MAX = 100
# A type can have its own error text: `Annotated[Kind, Meta(extra={WRONG: "…"})]`.
WRONG = "wrong"
Email = Annotated[accounts.Email, msgspec.Meta(extra={WRONG: "Enter a valid email address."})]

# msgspec's error messages, mapped to those of the older backends.
TEXTS = (
    (r"Expected `str` of length >= (\d+)", "Ensure this field has at least {} characters."),
    (r"Expected `str` of length <= (\d+)", "Ensure this field has no more than {} characters."),
    (r"Expected `(?:int|float)` >= (-?\d+)", "Ensure this value is greater than or equal to {}."),
    (r"Expected `(?:int|float)` <= (-?\d+)", "Ensure this value is less than or equal to {}."),
    (r"Expected `str` matching", "Enter a valid value."),
    (r"Invalid enum value|Expected `(?:Literal|enum)", '"{value}" is not a valid choice.'),
    (r"Expected `uuid|Invalid UUID", "Must be a valid UUID."),
    (
        r"Expected `date(?: \| null)?`|Invalid RFC3339",
        "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.",
    ),
    (r"Expected `bool", "Must be a valid boolean."),
    (r"Expected `int|Integer value out of range", "A valid integer is required."),
    (r"Expected `float", "A valid number is required."),
    (r"Expected `str", "Not a valid string."),
)

DIGITS = len(str(BIGINT_MAX))
FormType = TypeVar("FormType", bound=msgspec.Struct)


def numeric_id(text: str) -> int | None:
    """Parse the id in a path; None if there can be no such row."""
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS
    return int(text) if is_number and 0 < int(text) <= BIGINT_MAX else None


async def read(request: Request[Any, Any, Any], kind: type[FormType]) -> FormType:
    """Parse the body into a struct. Raises DrfError with a message per invalid field."""
    return read_fields(await sent_fields(request), kind)


async def sent_fields(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Parse the fields of the body. Raises DrfError if it is not an object or form."""
    kind, _ = request.content_type
    if kind == RequestEncodingType.URL_ENCODED:
        return _form_fields(await request.body())
    if kind == RequestEncodingType.MULTI_PART:
        form = await request.form()
        return {name: form.getall(name)[-1] for name in form}
    body = await request.body()
    if not body:
        return {}
    if kind != RequestEncodingType.JSON:
        raise UnsupportedMediaType
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DrfError({"detail": f"JSON parse error - {error}"}) from error
    if not isinstance(found, dict):
        kind = type(found).__name__
        text = f"Invalid data. Expected a dictionary, but got {kind}."
        raise DrfError({NON_FIELD: [text]})
    return found


def _form_fields(body: bytes) -> dict[str, Any]:
    """Parse a form, last value wins. Litestar's own parser caches every body."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError as error:  # includes invalid UTF-8
        raise DrfError({"detail": "Form parse error - too many fields, or no UTF-8"}) from error


def read_fields(fields: dict[str, Any], kind: type[FormType]) -> FormType:
    """Convert fields to a struct, ignoring unknown ones. Raises DrfError."""
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name in fields:
            try:
                values[field.name] = _value(fields[name], field.type)
            except ValueError as error:
                errors[name] = [str(error)]
        elif field.required:
            errors[name] = [REQUIRED]
    if errors:
        raise DrfError(errors)
    return kind(**values)


def _value(value: Any, kind: Any) -> Any:
    """Convert a value. Raises ValueError with the older backend's text."""
    if isinstance(value, UploadFile):
        raise ValueError("Not a valid string.")  # noqa: TRY004 - the caller expects ValueError
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("Null characters are not allowed.")
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return msgspec.convert(str(value), kind)
            except msgspec.ValidationError:
                pass
        raise ValueError(_sentence(value, kind, str(error))) from error


def _sentence(value: Any, kind: Any, error: str) -> str:
    if value is None:
        return "This field may not be null."
    if isinstance(value, str) and not value.strip():
        return BLANK
    for meta in get_args(kind)[1:]:
        if isinstance(meta, msgspec.Meta) and meta.extra and WRONG in meta.extra:
            return str(meta.extra[WRONG])
    for pattern, text in TEXTS:
        if found := re.search(pattern, error):
            return text.format(*found.groups(), value=str(value)[:100])
    return error
