"""Stream a multipart/form-data body (RFC 7578) into the storage.

The file is neither held in memory nor written twice: the bytes are hashed as they arrive and
passed to the storage, where the object appears only when it is complete.
"""

import hashlib
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any, ClassVar, TypeAlias

from litestar.exceptions import InternalServerException
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from videoflix.media.problems import UploadTooLarge
from videoflix.media.schemas import StoredFile, UploadForm, base_name
from videoflix.platform.problems import BadRequest, UnsupportedMediaType
from videoflix.platform.storage.media_storage import Storage, StorageProblem

FIELD_MAX_BYTES = 64 * 1024
FIELDS_MAX = 20
# Decodes any bytes; names are decoded again as UTF-8, which most clients send.
HEADER_CHARSET = "latin-1"

Event: TypeAlias = Any  # a MultipartSegment, its bytes, or None at its end


class FileMissing(BadRequest):
    """The upload has no file: send it as the form field “file”."""


class UploadIncomplete(BadRequest):
    """The upload ended early or is not a valid multipart/form-data body."""

    slug: ClassVar[str] = "upload-broken"


async def receive_form(
    body: AsyncIterator[bytes],
    content_type: str,
    storage: Storage,
    limit: int,
    file_field: str = "file",
) -> UploadForm:
    """Store the file of the field `file_field` and collect the text fields, in any order.

    `limit` is the maximum size of the file in bytes. Raises UploadIncomplete, UploadTooLarge,
    UnsupportedMediaType or StorageFull, and deletes the file then.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise UnsupportedMediaType("Send the file as multipart/form-data.")
    form = UploadForm({}, None)
    events = _events(body, options["boundary"])
    try:
        async for event in events:
            if not isinstance(event, MultipartSegment):
                continue
            name = _utf8(event.name)
            if name == file_field and event.filename is not None and form.file is None:
                form.file = await _store(events, event.filename, storage, limit)
            elif event.filename is None:
                if name in form.fields:
                    raise UploadIncomplete(f"The field “{name[:50]}” occurs twice.")
                form.fields[name] = await _text(events)
            else:
                await _skip(events)
    except BaseException:
        if form.file:
            with suppress(StorageProblem):  # logged; the sweep removes it later
                await storage.delete_below(form.file.folder)
        raise
    return form


async def _events(body: AsyncIterator[bytes], boundary: str) -> AsyncGenerator[Event]:
    parser = PushMultipartParser(
        boundary, max_segment_count=FIELDS_MAX, header_charset=HEADER_CHARSET
    )
    try:
        with parser:
            async for data in body:
                if data:
                    for event in parser.parse(data):
                        yield bytes(event) if isinstance(event, bytearray) else event
    except (
        MultipartError,
        InternalServerException,
    ) as error:  # the latter: the client disconnected
        raise UploadIncomplete from error


async def _store(
    events: AsyncIterator[Event], filename: str, storage: Storage, limit: int
) -> StoredFile:
    folder = f"assets/{uuid.uuid4().hex}"
    key = f"{folder}/source"
    digest, size = hashlib.sha256(), 0
    async with storage.writing(key) as writer:
        async for data in events:
            if not isinstance(data, bytes):
                break
            size += len(data)
            if size > limit:
                raise UploadTooLarge(f"At most {limit} bytes are accepted.")
            digest.update(data)
            await writer.write(data)
    return StoredFile(folder, key, base_name(_utf8(filename)), size, digest.hexdigest())


def _utf8(name: str) -> str:
    """Decode a name of a header as UTF-8; it stays Latin-1 where that is impossible."""
    try:
        return name.encode(HEADER_CHARSET).decode()
    except UnicodeDecodeError:
        return name


async def _skip(events: AsyncIterator[Event]) -> None:
    """Discard a file of another field."""
    async for data in events:
        if not isinstance(data, bytes):
            return


async def _text(events: AsyncIterator[Event]) -> str:
    value = bytearray()
    async for data in events:
        if not isinstance(data, bytes):
            break
        value += data
        if len(value) > FIELD_MAX_BYTES:
            raise UploadIncomplete(f"A text field can have at most {FIELD_MAX_BYTES} bytes.")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise UploadIncomplete("Text fields must be UTF-8.") from error
