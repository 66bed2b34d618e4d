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
from videoflix.platform.http.params import BODY_TYPES, Limit, Offset, Page, service
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
from videoflix.uploads.api.documentation import AppendBytes, CreateUpload
from videoflix.uploads.api.requests import append_in, creation_in, require_tus
from videoflix.uploads.api.responses import (
    progress_headers,
    state_headers,
    url_of,
)
from videoflix.uploads.models import Upload, UploadKind
from videoflix.uploads.problems import (
    BytesLost,
    ChecksumMismatch,
    ConcatenationImpossible,
    FinalUploadClosed,
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
from videoflix.uploads.schemas import UploadRead
from videoflix.uploads.service import Uploads
from videoflix.uploads.service.finishing import Finishing
from videoflix.uploads.service.receiving import append
from videoflix.uploads.service.sweeping import delete_bytes
from videoflix.uploads.service.uploads import check_length
from videoflix.uploads.tus import CONTENT_TYPE

UploadId = Annotated[str, PathParameter(pattern=r"^[0-9a-f]{32}(?!\n)$")]
BYTES = {BODY_TYPES: (CONTENT_TYPE,)}
# Of requests that send bytes.
RECEIVING = (
    ChecksumMismatch,
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


class ResumableUploadController(Controller):
    path = "/uploads"
    tags = ("Uploads",)
    guards = (editors_only,)

    @post(
        opt=UPLOAD | BYTES,
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
        user_id = request.user.user_id
        asked = creation_in(request)
        check_length(asked.announced.length)
        await media_storage().refuse_if_full(asked.announced.length or 0)
        async with transaction() as session:
            uploads = Uploads(session)
            if asked.announced.kind is UploadKind.FINAL:
                upload = await uploads.concatenate(asked.announced, asked.partial_ids, user_id)
                await Finishing(session).accept(upload, None, user_id)
            else:
                upload = await uploads.create(asked.announced, user_id)
        if asked.first is not None and not upload.is_complete:
            upload = await append(upload.public_id, user_id, asked.first, request.receive)
        headers = {"Location": url_of(upload)} | progress_headers(upload)
        return Response(None, status_code=HTTP_201_CREATED, headers=headers)

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
        return UploadRead.of(await uploads.read(upload_id, user.user_id))

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
        require_tus(request)
        upload, partials = await _read(upload_id, request.user.user_id)
        return Response(None, status_code=HTTP_200_OK, headers=state_headers(upload, partials))

    @patch(
        "/{upload_id:str}",
        opt=UNLIMITED | BYTES,
        operation_class=AppendBytes,
        summary="Append to a resumable upload",
        status_code=HTTP_204_NO_CONTENT,
        request_max_body_size=None,
        responses=problems(
            *RECEIVING,
            BytesLost,
            FinalUploadClosed,
            OffsetMismatch,
            UploadAlreadyComplete,
            UploadExpired,
            UploadLocked,
            UploadNotFound,
            UploadSuperseded,
            Unauthorized,
            Forbidden,
        ),
    )
    async def append_bytes(
        self, request: Request[Any, Any, Any], upload_id: UploadId
    ) -> Response[None]:
        """Send the bytes from Upload-Offset on; with the last one, the video is created.

        If the connection is lost, what has arrived is kept.
        """
        upload = await append(upload_id, request.user.user_id, append_in(request), request.receive)
        return Response(None, status_code=HTTP_204_NO_CONTENT, headers=progress_headers(upload))

    @delete(
        "/{upload_id:str}",
        opt=UNLIMITED,
        summary="Remove a resumable upload",
        responses=problems(Unauthorized, Forbidden, UploadNotFound, UploadAlreadyComplete),
    )
    async def remove_upload(self, user: CurrentUser, upload_id: UploadId) -> None:
        """Stop an upload and delete its bytes. The video of a complete one is not affected."""
        async with transaction() as session:
            upload = await Uploads(session).remove(upload_id, user.user_id)
        await delete_bytes(upload)


async def _read(upload_id: str, user_id: int) -> tuple[Upload, list[Upload]]:
    """Get an upload, and the uploads that it is concatenated from."""
    async with transaction() as session:
        uploads = Uploads(session)
        upload = await uploads.read(upload_id, user_id)
        return upload, await uploads.uploads.partials_of(upload.id)
