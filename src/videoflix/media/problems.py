"""Problems of uploaded files, in a form or in parts."""

from http import HTTPStatus
from typing import ClassVar

from videoflix.platform.problems import BadRequest, Problem


class TitleMissing(BadRequest):
    """Give the film a title: the form field “title”, at most 200 characters."""


class FileEmpty(BadRequest):
    """The uploaded file is empty."""


class UploadTooLarge(Problem):
    """The file is larger than this installation accepts."""

    status: ClassVar = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class InvalidPoster(BadRequest):
    """The poster must be a JPEG, PNG, WebP or AVIF file of at most 10 MiB and 40 megapixels."""

    slug: ClassVar[str] = "poster-refused"
