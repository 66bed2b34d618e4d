"""The library of the requesting profile, and the view counter of this process."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from litestar import Litestar

from videoflix.library.service import Library, Views
from videoflix.library.view_counter import Seen, ViewCounter
from videoflix.platform.auth.identity import Identity
from videoflix.platform.postgres.session import transaction
from videoflix.profiles.service import Profiles, current_viewer, viewer_cache

# Personal responses must not be stored by any cache.
PERSONAL = {"Cache-Control": "private, no-store"}


async def _write(seen: Sequence[Seen]) -> None:
    async with transaction() as session:
        await Views(session).add(seen)


counter = ViewCounter(_write)


@asynccontextmanager
async def counting_views(_: Litestar) -> AsyncGenerator[None]:
    """Write counted views in the background while the application runs."""
    async with counter.running():
        yield


@asynccontextmanager
async def library_of(user: Identity) -> AsyncGenerator[Library]:
    """Yield the library of the requesting profile; the block is one transaction."""
    viewer = await current_viewer(user)
    async with transaction() as session:
        if not viewer.profile_id:
            viewer = await Profiles(session).viewer_for_write(user)
            viewer_cache.put(user, viewer)
        yield Library(session, viewer)
