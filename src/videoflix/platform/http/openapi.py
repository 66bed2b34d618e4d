"""OpenAPI document: deterministic across processes, and as strict as the validation.

Litestar omits the constraints of list items, constraints of 0 in unions, and the refusal of unknown
fields; and it declares string query parameters as nullable.
"""

from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any, cast

import msgspec
from litestar.enums import ParamType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIMediaType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIType
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

NULL = Schema(type=OpenAPIType.NULL)
# msgspec's constraints and their names in `Schema`; for arrays some names differ.
LIMITS = {
    "ge": "minimum",
    "gt": "exclusive_minimum",
    "le": "maximum",
    "lt": "exclusive_maximum",
    "multiple_of": "multiple_of",
    "pattern": "pattern",
    "min_length": "min_length",
    "max_length": "max_length",
}
LIST_LIMITS = {"min_length": "min_items", "max_length": "max_items"}


@dataclass
class SortedDocument(OpenAPI):
    """Sort paths, as routes with several paths keep them in a set."""

    def to_schema(self) -> dict[str, Any]:
        schema = super().to_schema()
        schema["paths"] = dict(sorted(schema["paths"].items()))
        return schema


class DocumentConfig(OpenAPIConfig):
    """Litestar's configuration, for a deterministic document."""

    def to_openapi_schema(self) -> OpenAPI:
        document = super().to_openapi_schema()
        return SortedDocument(**{one.name: getattr(document, one.name) for one in fields(document)})


@dataclass
class DescribedOperation(Operation):
    """An operation whose string query parameters are not nullable.

    In a query, `null` is a string for string parameters, and null for other types.
    """

    def __post_init__(self) -> None:
        self.parameters = [
            replace(one, schema=_without_null(one.schema))
            if isinstance(one, Parameter) and one.param_in == ParamType.QUERY
            else one
            for one in self.parameters or ()
        ] or None


@dataclass
class OptionalBody(DescribedOperation):
    """An operation whose request body is optional."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.request_body, RequestBody):
            self.request_body = replace(self.request_body, required=False)


class LimitedValues(OpenAPISchemaPlugin):
    """Document the constraints of `Annotated[…, msgspec.Meta(…)]` at any position."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        return bool(_metas(field_definition))

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        plain = FieldDefinition.from_annotation(field_definition.annotation)
        schema: Schema | Reference = schema_creator.for_field_definition(plain)
        if isinstance(schema, Reference):
            return Schema(all_of=[schema])
        return reduce(_limited, _metas(field_definition), schema)


class StrictStructs(OpenAPISchemaPlugin):
    """Set `additionalProperties: false` for structs that forbid unknown fields."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        return (
            not field_definition.is_union
            and field_definition.is_subclass_of(msgspec.Struct)
            and bool(field_definition.type_.__struct_config__.forbid_unknown_fields)
        )

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        others = [one for one in schema_creator.plugins if one is not self]
        plugin = next(
            one for one in others if schema_creator.plugin_supports_field(one, field_definition)
        )
        schema: Schema = plugin.to_openapi_schema(field_definition, schema_creator)
        schema.additional_properties = False
        return schema


def schema_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return a struct's JSON Schema without references, for bodies that a route parses itself."""
    (root,), named = msgspec.json.schema_components([struct], ref_template="{name}")

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(one) for one in value]
        if not isinstance(value, dict):
            return value
        target = named[value["$ref"]] if "$ref" in value else {}
        return {name: resolved(one) for name, one in (target | value).items() if name != "$ref"}

    found: dict[str, Any] = resolved(root)
    return found


def body_of(schemas: dict[str, dict[str, Any]]) -> RequestBody:
    """Build a required request body from JSON Schemas by content type."""
    content = {kind: OpenAPIMediaType(schema=cast(Any, one)) for kind, one in schemas.items()}
    return RequestBody(required=True, content=content)


def _metas(field: FieldDefinition) -> list[msgspec.Meta]:
    return [one for one in field.metadata if isinstance(one, msgspec.Meta)]


def _limited(schema: Schema, meta: msgspec.Meta) -> Schema:
    """Add constraints and `extra_json_schema` to a schema."""
    names = LIMITS | LIST_LIMITS if schema.type == OpenAPIType.ARRAY else LIMITS
    known = {names[name]: getattr(meta, name) for name in names}
    given = {name: value for name, value in known.items() if value is not None}
    return replace(schema, **given, **(meta.extra_json_schema or {}))


def _without_null(schema: Schema | Reference | None) -> Schema | Reference | None:
    if not isinstance(schema, Schema) or NULL not in (schema.one_of or ()):
        return schema
    only, *others = (one for one in schema.one_of or () if one != NULL)
    if others or isinstance(only, Reference) or only.type != OpenAPIType.STRING or only.format:
        return schema
    members = {
        one.name: getattr(schema, one.name) for one in fields(schema) if one.name != "one_of"
    }
    return replace(only, **{name: value for name, value in members.items() if value is not None})
