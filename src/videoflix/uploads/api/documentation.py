"""Headers and bodies of upload requests, for the OpenAPI document; the routes parse them."""

from dataclasses import dataclass
from typing import Any

from litestar.enums import ParamType
from litestar.openapi.spec import Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from videoflix.platform.http.openapi import DescribedOperation, body_of
from videoflix.uploads import resumable
from videoflix.uploads.tus import ALGORITHMS, CONTENT_TYPE, VERSION

BINARY = {"type": "string", "format": "binary"}


def _header(name: str, description: str, *, required: bool = False, **schema: Any) -> Parameter:
    kind = schema.pop("type", OpenAPIType.STRING)
    return Parameter(
        name=name,
        param_in=ParamType.HEADER,
        description=description,
        required=required,
        schema=Schema(type=kind, **schema),
    )


TUS_VERSION = _header(
    "Tus-Resumable", f"Version of tus, {VERSION}; without it, send Upload-Complete."
)
COMPLETE = _header(
    "Upload-Complete", "Of the IETF's draft: ?1 if the file ends with this request, otherwise ?0."
)
CHECKSUM = _header(
    "Upload-Checksum",
    f"Checksum of the body: one of {', '.join(ALGORITHMS)}, and the digest in Base64.",
)
LENGTH = _header("Upload-Length", "Size of the file, in bytes.", pattern=r"^[0-9]{1,15}(?!\n)$")


@dataclass
class CreateUpload(DescribedOperation):
    """An operation that announces a file; its body may hold the first bytes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.parameters = [
            *(self.parameters or ()),
            TUS_VERSION,
            COMPLETE,
            LENGTH,
            _header("Upload-Defer-Length", "If the size is unknown yet.", enum=["1"]),
            _header(
                "Upload-Metadata",
                "Keys and values in Base64: `filename`, `title`, `description`, `category` and"
                " the other fields of a new video, or `video`, the ID of one whose file is"
                " replaced.",
            ),
            _header("Upload-Concat", "`partial`, or `final;` and the URLs of partial uploads."),
            CHECKSUM,
        ]
        body: RequestBody = body_of({CONTENT_TYPE: BINARY})
        body.required = False
        self.request_body = body


@dataclass
class AppendBytes(DescribedOperation):
    """An operation whose body is bytes of a file."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.parameters = [
            *(self.parameters or ()),
            TUS_VERSION,
            COMPLETE,
            _header(
                "Upload-Offset",
                "Where the body belongs in the file; always needed.",
                pattern=r"^[0-9]{1,15}(?!\n)$",
            ),
            LENGTH,
            CHECKSUM,
        ]
        self.request_body = body_of({CONTENT_TYPE: BINARY, resumable.CONTENT_TYPE: BINARY})
