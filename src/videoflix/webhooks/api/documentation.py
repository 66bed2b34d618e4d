"""The `webhooks` section of the OpenAPI document."""

from litestar.openapi.spec import OpenAPIResponse, Operation, PathItem, Reference, RequestBody
from litestar.openapi.spec.example import Example

from videoflix.platform.events import event_types
from videoflix.platform.http.openapi import body_of, schema_of
from videoflix.webhooks.schemas import EventBody
from videoflix.webhooks.service.endpoints import example_of


def documented_webhooks() -> dict[str, PathItem | Reference]:
    """Describe the request that each type of event sends."""
    return {name: PathItem(post=_operation(name)) for name in sorted(event_types)}


def _operation(name: str) -> Operation:
    summary, _, rest = (event_types[name].__doc__ or "").partition("\n")
    return Operation(
        tags=["Webhooks"],
        operation_id=f"webhook.{name}",
        summary=name,
        description=f"{summary}{rest}",
        request_body=_body(name),
        responses={"2XX": OpenAPIResponse("Received. Any other status is retried for three days.")},
    )


def _body(name: str) -> RequestBody:
    schema = schema_of(EventBody)
    schema["properties"] |= {"type": {"const": name}, "data": schema_of(event_types[name])}
    body = body_of({"application/json": schema})
    body.content["application/json"].examples = {name: Example(value=example_of(name))}
    return body
