"""Links to upload files without an account, and the uploads by them."""

from typing import Annotated, Any

from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, Response, delete, get, head, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT

from videoflix.catalog.service import VideoNotFound
from videoflix.catalog.service.catalog import UnknownCategory
from videoflix.media.problems import FileEmpty, TitleMissing
from videoflix.platform.auth.identity import CurrentUser, editors_only
from videoflix.platform.http.params import Id, Limit, Offset, Page, service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Forbidden, InvalidInput, Unauthorized, problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.platform.storage.media_storage import media_storage
from videoflix.uploads.api.documentation import AppendBytes, CreateUpload
from videoflix.uploads.api.exchange import (
    append_response,
    created_response,
    offset_response,
    remove_upload,
)
from videoflix.uploads.api.requests import creation_in
from videoflix.uploads.api.uploads import ANY_BYTES, APPENDING, BYTES, RECEIVING, UploadId
from videoflix.uploads.problems import (
    TusVersionUnsupported,
    UploadAlreadyComplete,
    UploadExpired,
    UploadLinkNotFound,
    UploadNotFound,
    UploadQuotaExceeded,
)
from videoflix.uploads.schemas import (
    Sender,
    UploadLinkCreate,
    UploadLinkCreated,
    UploadLinkOffer,
    UploadLinkRead,
)
from videoflix.uploads.service.links import PATH, UploadLinks
from videoflix.uploads.service.receiving import append
from videoflix.uploads.service.uploads import check_length

LinkToken = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]{43}(?!\n)$")]


class UploadLinkController(Controller):
    path = "/upload-links"
    tags = ("Uploads",)
    guards = (editors_only,)
    dependencies = {"links": service(UploadLinks)}

    @post(
        summary="Create an upload link",
        responses=problems(Unauthorized, Forbidden, VideoNotFound, UnknownCategory),
    )
    async def create_link(
        self,
        user: CurrentUser,
        links: NamedDependency[UploadLinks],
        data: JSONBody[UploadLinkCreate],
    ) -> UploadLinkCreated:
        """Let a browser or a partner upload files without an account; the URL is shown once."""
        return await links.create(user.user_id, data)

    @get(summary="List your upload links", responses=problems(Unauthorized, Forbidden))
    async def list_links(
        self,
        user: CurrentUser,
        links: NamedDependency[UploadLinks],
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[UploadLinkRead]:
        """List your links, newest first; those that ended a month ago are deleted."""
        found, total = await links.list_page(user.user_id, LimitOffset(limit, offset))
        return Page(found, total, limit, offset)

    @delete(
        "/{link_id:int}",
        summary="Revoke an upload link",
        responses=problems(Unauthorized, Forbidden, UploadLinkNotFound),
    )
    async def revoke_link(
        self, user: CurrentUser, links: NamedDependency[UploadLinks], link_id: Id
    ) -> None:
        """Revoke a link: its unfinished uploads stop, finished ones stay."""
        await links.revoke(link_id, user.user_id)


class LinkedUploadController(Controller):
    path = "/uploads/by-link/{token:str}"
    tags = ("Uploads",)

    @get(
        summary="Get what an upload link allows",
        dependencies={"links": service(UploadLinks)},
        responses=problems(UploadLinkNotFound),
    )
    async def show_offer(
        self, links: NamedDependency[UploadLinks], token: LinkToken
    ) -> Response[UploadLinkOffer]:
        """How many files of which size may be uploaded, and until when."""
        return Response(await links.offer(token), headers={"Cache-Control": "no-store"})

    @post(
        opt=ANY_BYTES,
        operation_class=CreateUpload,
        summary="Create a resumable upload by a link",
        status_code=HTTP_201_CREATED,
        request_max_body_size=None,
        responses=problems(
            *RECEIVING,
            FileEmpty,
            InvalidInput,
            TitleMissing,
            UploadLinkNotFound,
            UploadQuotaExceeded,
        ),
    )
    async def create_upload(
        self, request: Request[Any, Any, Any], token: LinkToken
    ) -> Response[None]:
        """Announce a file, perhaps with its first bytes; the header Location is its URL."""
        asked = creation_in(request)
        check_length(asked.announced.length)
        await media_storage().refuse_if_full(asked.announced.length or 0)
        async with transaction() as session:
            links = UploadLinks(session)
            upload = await links.create_upload(token, asked.announced)
            sender = await links.sender(token)
        if asked.first is not None:
            upload = await append(upload.public_id, sender, asked.first, request.receive)
        return created_response(upload, f"{PATH}{token}/{upload.public_id}")

    @head(
        "/{upload_id:str}",
        opt=UNLIMITED,
        summary="Get the offset of an upload by a link",
        status_code=HTTP_200_OK,
        responses=problems(
            UploadLinkNotFound, UploadNotFound, UploadExpired, TusVersionUnsupported
        ),
    )
    async def show_offset(
        self, request: Request[Any, Any, Any], token: LinkToken, upload_id: UploadId
    ) -> Response[None]:
        """Where the upload continues: the header Upload-Offset."""
        return await offset_response(request, upload_id, await _sender(token))

    @patch(
        "/{upload_id:str}",
        opt=UNLIMITED | BYTES,
        operation_class=AppendBytes,
        summary="Append to an upload by a link",
        status_code=HTTP_204_NO_CONTENT,
        request_max_body_size=None,
        responses=problems(*RECEIVING, *APPENDING, UploadLinkNotFound),
    )
    async def append_bytes(
        self, request: Request[Any, Any, Any], token: LinkToken, upload_id: UploadId
    ) -> Response[None]:
        """Send the bytes from Upload-Offset on; with the last one, the video is created."""
        return await append_response(request, upload_id, await _sender(token))

    @delete(
        "/{upload_id:str}",
        opt=UNLIMITED,
        summary="Remove an upload by a link",
        responses=problems(UploadLinkNotFound, UploadNotFound, UploadAlreadyComplete),
    )
    async def stop_upload(self, token: LinkToken, upload_id: UploadId) -> None:
        """Stop an upload and delete its bytes; the link can be used for another file."""
        await remove_upload(upload_id, await _sender(token))


async def _sender(token: str) -> Sender:
    async with transaction() as session:
        return await UploadLinks(session).sender(token)
