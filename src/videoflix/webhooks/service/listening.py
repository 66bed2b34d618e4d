"""Follow the site's events without a server: for `videoflix webhooks listen`."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.session import transaction_time
from videoflix.webhooks.models import WebhookEndpoint, WebhookEvent
from videoflix.webhooks.repository import WebhookEndpointRepository, WebhookEventRepository
from videoflix.webhooks.signing import encrypt, new_secret

# A listener whose process was killed stops after this time.
LISTENER_LIFETIME = timedelta(minutes=2)
# Events may be committed later than others that were created after them.
OVERLAP = timedelta(minutes=1)


class Listener:
    """An endpoint without a URL: its events are stored, and read with `next_events`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.endpoints = WebhookEndpointRepository(session=session)
        self.events = WebhookEventRepository(session=session)

    async def begin(self, event_types: Sequence[str]) -> tuple[int, str]:
        """Add a listener; return its ID and the secret that signs what it forwards."""
        secret = new_secret()
        now = await transaction_time(self.session)
        endpoint = await self.endpoints.add(
            WebhookEndpoint(
                url=None,
                description="videoflix webhooks listen",
                events=list(event_types),
                secret=encrypt(secret),
                listens_until=now + LISTENER_LIFETIME,
            )
        )
        return endpoint.id, secret

    async def next_events(self, endpoint_id: int, known: Sequence[str]) -> Sequence[WebhookEvent]:
        """Return the recent events that are not known yet, and keep the listener alive."""
        await self.endpoints.keep_listening(endpoint_id, LISTENER_LIFETIME)
        return await self.events.recent(OVERLAP, known)

    async def end(self, endpoint_id: int) -> None:
        await self.endpoints.delete_where(id=endpoint_id)
