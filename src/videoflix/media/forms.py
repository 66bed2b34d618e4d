"""Upload forms for the OpenAPI document; the routes parse them from the stream."""

from dataclasses import dataclass

from litestar.enums import RequestEncodingType

from videoflix.catalog.schemas import VideoCreate
from videoflix.platform.http.openapi import DescribedOperation, body_of, schema_of
from videoflix.platform.http.params import JSON, VISIBLE

MULTI_PART = RequestEncodingType.MULTI_PART.value
# A file of at least one byte.
FILE = {"type": "string", "format": "binary", "minLength": 1}
DRAFT = schema_of(VideoCreate)
YES_OR_NO = {"type": "string", "enum": ["true", "false", "1", "0"]}
COMMAS = "Separate with commas."
# Form fields are text, so lists are comma-separated; the title must not be blank.
VIDEO_FORM = {
    **DRAFT,
    "title": "VideoForm",
    "description": "A new video with its file.",
    "required": ["title", "file"],
    "properties": {
        **DRAFT["properties"],
        "title": {"type": "string", "maxLength": 200, "pattern": rf"^[^\x00]*{VISIBLE}[^\x00]*$"},
        "featured": YES_OR_NO,
        "publish": YES_OR_NO,
        "tags": {
            "type": "string",
            "pattern": r"^[^,\x00\r\n]{0,50}(,[^,\x00\r\n]{0,50}){0,29}(?!\n)$",
            "description": COMMAS,
        },
        "categories": {
            "type": "string",
            "pattern": r"^([1-9][0-9]{0,14}(,[1-9][0-9]{0,14}){0,19})?(?!\n)$",
            "description": f"Ids of categories. {COMMAS}",
        },
        "file": FILE,
    },
}
FILE_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": FILE},
    # Ignored, but a field that occurs twice is refused.
    "additionalProperties": {"type": "string"},
}


@dataclass
class VideoUpload(DescribedOperation):
    """An operation whose body is a multipart form with a file, or the details as JSON."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.request_body = body_of({MULTI_PART: VIDEO_FORM, JSON: DRAFT})


@dataclass
class FileUpload(DescribedOperation):
    """An operation whose body is a multipart form with a file."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.request_body = body_of({MULTI_PART: FILE_FORM})
