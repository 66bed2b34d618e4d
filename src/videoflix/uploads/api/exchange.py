"""Requests about one upload, by its user or by a link."""

from litestar import Response
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT

from videoflix.platform.postgres.session import transaction
from videoflix.uploads.api.requests import AnyRequest, append_in, require_tus
from videoflix.uploads.api.responses import progress_headers, state_headers
from videoflix.uploads.models import Upload
from videoflix.uploads.schemas import Sender
from videoflix.uploads.service import Uploads
from videoflix.uploads.service.receiving import append
from videoflix.uploads.service.sweeping import delete_bytes


def created_response(upload: Upload, url: str) -> Response[None]:
    """Respond to a creation."""
    headers = {"Location": url} | progress_headers(upload)
    return Response(None, status_code=HTTP_201_CREATED, headers=headers)


async def offset_response(request: AnyRequest, upload_id: str, sender: Sender) -> Response[None]:
    """Respond to HEAD. Raises a problem."""
    if "tus-resumable" in request.headers:
        require_tus(request)
    async with transaction() as session:
        uploads = Uploads(session)
        upload = await uploads.read(upload_id, sender)
        partials = await uploads.uploads.partials_of(upload.id)
    return Response(None, status_code=HTTP_200_OK, headers=state_headers(upload, partials))


async def append_response(request: AnyRequest, upload_id: str, sender: Sender) -> Response[None]:
    """Receive the bytes of PATCH. Raises a problem.

    The IETF's draft has the last response tell what the creation would have, with the whole file.
    """
    asked = append_in(request)
    upload = await append(upload_id, sender, asked, request.receive)
    headers = progress_headers(upload)
    if asked.completes and upload.video_id is not None:
        headers["Location"] = f"/api/v1/videos/{upload.video_id}"
        return Response(None, status_code=HTTP_201_CREATED, headers=headers)
    return Response(None, status_code=HTTP_204_NO_CONTENT, headers=headers)


async def remove_upload(upload_id: str, sender: Sender) -> None:
    """Delete an upload and its bytes. Raises a problem."""
    async with transaction() as session:
        upload = await Uploads(session).remove(upload_id, sender)
    await delete_bytes(upload)
