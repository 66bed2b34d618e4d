"""Resumable uploads over HTTP, with the tus protocol 1.0."""

from typing import Annotated, Any

from advanced_alchemy.filters import LimitOffset
from litestar import (
    Controller,
    Request,
    Response,
    delete,
    get,
    head,
    patch,
    post,
)
from litestar.di import NamedDependency
from litestar.params import PathParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT

from videoflix.catalog.service import VideoNotFound
from videoflix.catalog.service.catalog import UnknownCategory
from videoflix.media.problems import FileEmpty, TitleMissing, UploadTooLarge
from videoflix.platform.auth.identity import CurrentUser, editors_only
from videoflix.platform.http.params import ANY_TYPE, BODY_TYPES, Limit, Offset, Page, service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import (
    Forbidden,
    InvalidInput,
    Unauthorized,
    UnsupportedMediaType,
    problems,
)
from videoflix.platform.rate_limit.middleware import UNLIMITED, UPLOAD
from videoflix.platform.storage.media_storage import (
    StorageFull,
    StorageUnavailable,
    media_storage,
)
from videoflix.uploads import resumable
from videoflix.uploads.api.documentation import AppendBytes, CreateUpload
from videoflix.uploads.api.exchange import (
    append_response,
    created_response,
    offset_response,
    remove_upload,
)
from videoflix.uploads.api.requests import creation_in
from videoflix.uploads.api.responses import (
    url_of,
)
from videoflix.uploads.models import UploadKind
from videoflix.uploads.problems import (
    BytesLost,
    ChecksumMismatch,
    ConcatenationImpossible,
    FinalUploadClosed,
    InconsistentLength,
    LengthExceeded,
    OffsetMismatch,
    TusVersionUnsupported,
    UploadAlreadyComplete,
    UploadExpired,
    UploadHeaderInvalid,
    UploadInterrupted,
    UploadLocked,
    UploadNotFound,
    UploadQuotaExceeded,
    UploadSuperseded,
)
from videoflix.uploads.schemas import Sender, UploadRead
from videoflix.uploads.service import Uploads
from videoflix.uploads.service.finishing import Finishing
from videoflix.uploads.service.receiving import append
from videoflix.uploads.service.uploads import check_length
from videoflix.uploads.tus import CONTENT_TYPE

UploadId = Annotated[str, PathParameter(pattern=r"^[0-9a-f]{32}(?!\n)$")]
BYTES = {BODY_TYPES: (CONTENT_TYPE, resumable.CONTENT_TYPE)}
# The IETF's draft has the file's own content type in the request that creates an upload.
ANY_BYTES = {BODY_TYPES: (ANY_TYPE,)}
# Of requests that send bytes.
RECEIVING = (
    ChecksumMismatch,
    InconsistentLength,
    LengthExceeded,
    UploadHeaderInvalid,
    UploadInterrupted,
    UploadTooLarge,
    TusVersionUnsupported,
    UnsupportedMediaType,
    StorageFull,
    StorageUnavailable,
    VideoNotFound,
)


# Of requests that continue an upload.
APPENDING = (
    BytesLost,
    FinalUploadClosed,
    OffsetMismatch,
    UploadAlreadyComplete,
    UploadExpired,
    UploadLocked,
    UploadNotFound,
    UploadSuperseded,
)


class ResumableUploadController(Controller):
    path = "/uploads"
    tags = ("Uploads",)
    guards = (editors_only,)

    @post(
        opt=UPLOAD | ANY_BYTES,
        operation_class=CreateUpload,
        summary="Create a resumable upload",
        status_code=HTTP_201_CREATED,
        request_max_body_size=None,
        responses=problems(
            *RECEIVING,
            ConcatenationImpossible,
            FileEmpty,
            TitleMissing,
            UnknownCategory,
            InvalidInput,
            Unauthorized,
            Forbidden,
            UploadQuotaExceeded,
        ),
    )
    async def create_upload(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Announce a file, perhaps with its first bytes; the header Location is its URL.

        With `Upload-Concat: final;URL URL`, partial uploads become one file.
        """
        sender = Sender(request.user.user_id)
        asked = creation_in(request)
        check_length(asked.announced.length)
        await media_storage().refuse_if_full(asked.announced.length or 0)
        async with transaction() as session:
            uploads = Uploads(session)
            if asked.announced.kind is UploadKind.FINAL:
                upload = await uploads.concatenate(asked.announced, asked.partial_ids, sender)
                await Finishing(session).accept(upload, None, sender.user_id)
            else:
                upload = await uploads.create(asked.announced, sender)
        if asked.first is not None and not upload.is_complete:
            upload = await append(upload.public_id, sender, asked.first, request.receive)
        return created_response(upload, url_of(upload))

    @get(
        summary="List your unfinished uploads",
        dependencies={"uploads": service(Uploads)},
        responses=problems(Unauthorized, Forbidden),
    )
    async def list_uploads(
        self,
        user: CurrentUser,
        uploads: NamedDependency[Uploads],
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[UploadRead]:
        """List your uploads whose file is not stored yet, newest first."""
        found, total = await uploads.list_page(user.user_id, LimitOffset(limit, offset))
        return Page([UploadRead.of(upload) for upload in found], total, limit, offset)

    @get(
        "/{upload_id:str}",
        summary="Get a resumable upload",
        dependencies={"uploads": service(Uploads)},
        responses=problems(Unauthorized, Forbidden, UploadNotFound, UploadExpired),
    )
    async def show_upload(
        self, user: CurrentUser, uploads: NamedDependency[Uploads], upload_id: UploadId
    ) -> UploadRead:
        """How many bytes are stored, and the video they became."""
        return UploadRead.of(await uploads.read(upload_id, Sender(user.user_id)))

    @head(
        "/{upload_id:str}",
        opt=UNLIMITED,
        summary="Get the offset of a resumable upload",
        status_code=HTTP_200_OK,
        responses=problems(
            Unauthorized, Forbidden, UploadNotFound, UploadExpired, TusVersionUnsupported
        ),
    )
    async def show_offset(
        self, request: Request[Any, Any, Any], upload_id: UploadId
    ) -> Response[None]:
        """Where the upload continues: the header Upload-Offset."""
        return await offset_response(request, upload_id, Sender(request.user.user_id))

    @patch(
        "/{upload_id:str}",
        opt=UNLIMITED | BYTES,
        operation_class=AppendBytes,
        summary="Append to a resumable upload",
        status_code=HTTP_204_NO_CONTENT,
        request_max_body_size=None,
        responses=problems(*RECEIVING, *APPENDING, Unauthorized, Forbidden),
    )
    async def append_bytes(
        self, request: Request[Any, Any, Any], upload_id: UploadId
    ) -> Response[None]:
        """Send the bytes from Upload-Offset on; with the last one, the video is created.

        If the connection is lost, what has arrived is kept.
        """
        return await append_response(request, upload_id, Sender(request.user.user_id))

    @delete(
        "/{upload_id:str}",
        opt=UNLIMITED,
        summary="Remove a resumable upload",
        responses=problems(Unauthorized, Forbidden, UploadNotFound, UploadAlreadyComplete),
    )
    async def stop_upload(self, user: CurrentUser, upload_id: UploadId) -> None:
        """Stop an upload and delete its bytes. The video of a complete one is not affected."""
        await remove_upload(upload_id, Sender(user.user_id))
