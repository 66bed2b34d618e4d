"""Files that the server fetches from a URL, and the progress of uploads."""

from collections.abc import AsyncGenerator

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.status_codes import HTTP_202_ACCEPTED
from sqlalchemy.exc import SQLAlchemyError

from videoflix.catalog.service import VideoNotFound
from videoflix.catalog.service.catalog import UnknownCategory
from videoflix.media.problems import TitleMissing
from videoflix.platform.auth.identity import CurrentUser, Identity, editors_only
from videoflix.platform.auth.revocations import revocations
from videoflix.platform.http.params import service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Forbidden, Problem, Unauthorized, problems
from videoflix.platform.rate_limit.middleware import UPLOAD
from videoflix.platform.server.shutdown import RECONNECT_MS, shutdown
from videoflix.uploads.api.responses import url_of
from videoflix.uploads.api.uploads import UploadId
from videoflix.uploads.problems import (
    ImportRefused,
    UploadExpired,
    UploadNotFound,
    UploadQuotaExceeded,
)
from videoflix.uploads.schemas import ImportCreate, Sender, UploadRead
from videoflix.uploads.service import Uploads
from videoflix.uploads.service.imports import Imports

EVENT_SECONDS = 1.0


class ImportController(Controller):
    path = "/videos/import"
    tags = ("Uploads",)
    guards = (editors_only,)

    @post(
        opt=UPLOAD,
        summary="Import a file from a URL",
        status_code=HTTP_202_ACCEPTED,
        dependencies={"imports": service(Imports)},
        responses=problems(
            Unauthorized,
            Forbidden,
            ImportRefused,
            TitleMissing,
            UnknownCategory,
            UploadQuotaExceeded,
            VideoNotFound,
        ),
    )
    async def import_file(
        self,
        user: CurrentUser,
        imports: NamedDependency[Imports],
        data: JSONBody[ImportCreate],
    ) -> Response[UploadRead]:
        """Fetch a file in the background, resuming after interruptions.

        The header Location is the URL of its upload, which tells the progress, and why it failed.
        """
        upload = await imports.create(data, user.user_id)
        headers = {"Location": url_of(upload)}
        return Response(UploadRead.of(upload), status_code=HTTP_202_ACCEPTED, headers=headers)


class UploadEventController(Controller):
    path = "/uploads/{upload_id:str}/events"
    tags = ("Uploads",)
    guards = (editors_only,)

    @get(
        summary="Follow an upload (server-sent events)",
        responses=problems(Unauthorized, Forbidden, UploadNotFound, UploadExpired),
    )
    async def follow_upload(self, user: CurrentUser, upload_id: UploadId) -> ServerSentEvent:
        """Stream an `upload` event at once and after each change, until it is complete."""
        async with transaction() as session:
            await Uploads(session).read(upload_id, Sender(user.user_id))
        return ServerSentEvent(_changes(user, upload_id))


async def _changes(user: Identity, upload_id: str) -> AsyncGenerator[ServerSentEventMessage]:
    shown = None
    while user.sign_in_id not in revocations and not shutdown.has_begun:
        try:
            async with transaction() as session:
                upload = await Uploads(session).read(upload_id, Sender(user.user_id))
        except Problem:  # removed or expired
            return
        except (SQLAlchemyError, OSError):
            yield ServerSentEventMessage(data=None, comment="database unavailable")
        else:
            found = UploadRead.of(upload)
            if found != shown:
                shown, data = found, msgspec.json.encode(found).decode()
                yield ServerSentEventMessage(event="upload", data=data, retry=RECONNECT_MS)
            else:
                yield ServerSentEventMessage(data=None, comment="keep-alive")
            if upload.is_complete or upload.failure:
                return
        await shutdown.wait_for(None, EVENT_SECONDS)
