"""Routes for editors: update, publish, delete and restore videos."""

from litestar import Controller, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from videoflix.catalog.schemas import (
    BulkRequest,
    BulkResult,
    PublishRequest,
    VideoUpdate,
)
from videoflix.catalog.service.catalog import Catalog, UnknownCategory, VideoNotFound
from videoflix.catalog.service.editing import Editing
from videoflix.catalog.video_detail import VideoDetail
from videoflix.platform.auth.identity import CurrentUser, Identity, editors_only
from videoflix.platform.http.params import Id, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.profiles.schemas import unrestricted_viewer

EDITOR_PROBLEMS = (Unauthorized, Forbidden, VideoNotFound)


class VideoEditingController(Controller):
    path = "/videos"
    tags = ("Editing",)
    guards = (editors_only,)
    dependencies = {"editing": service(Editing)}

    @patch(
        "/{video_id:int}",
        summary="Update a video",
        responses=problems(*EDITOR_PROBLEMS, UnknownCategory),
    )
    async def change_video(
        self,
        user: CurrentUser,
        editing: NamedDependency[Editing],
        video_id: Id,
        data: JSONBody[VideoUpdate],
    ) -> VideoDetail:
        """Update the details of a video; omitted fields stay unchanged."""
        await editing.change(video_id, data)
        return await _read(user, editing, video_id)

    @post(
        "/{video_id:int}/publish",
        summary="Publish or schedule a video",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def publish_video(
        self,
        user: CurrentUser,
        editing: NamedDependency[Editing],
        video_id: Id,
        data: JSONBody[PublishRequest],
    ) -> VideoDetail:
        """Publish a video now, or schedule it for `publish_at`."""
        await editing.publish(video_id, data.publish_at)
        return await _read(user, editing, video_id)

    @post(
        "/{video_id:int}/unpublish",
        summary="Unpublish a video",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def unpublish_video(
        self, user: CurrentUser, editing: NamedDependency[Editing], video_id: Id
    ) -> VideoDetail:
        """Turn a video back into a draft: viewers no longer see it, and nothing is deleted."""
        await editing.unpublish(video_id)
        return await _read(user, editing, video_id)

    @post(
        "/{video_id:int}/restore",
        summary="Restore a deleted video",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def restore_video(
        self, user: CurrentUser, editing: NamedDependency[Editing], video_id: Id
    ) -> VideoDetail:
        """Restore a video within 30 days of its deletion."""
        await editing.restore(video_id)
        return await _read(user, editing, video_id)

    @post(
        "/bulk",
        summary="Update videos in bulk",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def change_many(
        self, editing: NamedDependency[Editing], data: JSONBody[BulkRequest]
    ) -> BulkResult:
        """Publish, unpublish, delete, restore or feature up to 100 videos, in one transaction."""
        return BulkResult(await editing.apply_bulk(data))


async def _read(editor: Identity, editing: Editing, video_id: int) -> VideoDetail:
    """Read a video back in the transaction that changed it."""
    await editing.session.flush()
    editing.session.expire_all()
    catalog: Catalog = editing.catalog
    return await catalog.read(unrestricted_viewer(editor), video_id)
