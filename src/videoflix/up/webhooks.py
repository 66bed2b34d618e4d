"""`videoflix webhooks listen`: the site's events in a terminal, forwarded to a local URL."""

import asyncio
import signal
import time
from collections import deque
from collections.abc import Sequence

import click
import httpx
import msgspec

from videoflix import worker
from videoflix.platform.events import event_types
from videoflix.platform.postgres.session import transaction
from videoflix.up.admin import errors_as_sentences
from videoflix.webhooks.models import WebhookEvent
from videoflix.webhooks.schemas import EventBody
from videoflix.webhooks.service.listening import Listener
from videoflix.webhooks.signing import sign

__all__ = ["listen", "worker"]  # worker.py loads the events of all domains

POLL_SECONDS = 0.5
KNOWN_MAX = 10_000
FORWARD_SECONDS = 10.0


async def listen(forward_to: str | None, wanted: Sequence[str]) -> None:
    """Print events as JSON lines until SIGINT or SIGTERM cancels this. Raises ClickException."""
    if (listening := asyncio.current_task()) is not None:
        for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell ignores SIGINT
            asyncio.get_running_loop().add_signal_handler(number, listening.cancel)
    if unknown := sorted(set(wanted) - set(event_types)):
        raise click.ClickException(f"There are no events named {', '.join(unknown)}.")
    with errors_as_sentences():
        async with transaction() as session:
            endpoint_id, secret = await Listener(session).begin(wanted)
            earlier = await Listener(session).next_events(endpoint_id, [])
    click.echo(f"Listening for events. Signing secret: {secret}", err=True)
    known = deque((event.public_id for event in earlier), KNOWN_MAX)
    try:
        async with httpx.AsyncClient(timeout=FORWARD_SECONDS) as client:
            while True:
                with errors_as_sentences():
                    async with transaction() as session:
                        found = await Listener(session).next_events(endpoint_id, list(known))
                for event in found:
                    known.append(event.public_id)
                    if not wanted or event.type in wanted:
                        await _show(event, client, forward_to, secret)
                await asyncio.sleep(POLL_SECONDS)
    finally:
        async with transaction() as session:
            await Listener(session).end(endpoint_id)


async def _show(
    event: WebhookEvent, client: httpx.AsyncClient, forward_to: str | None, secret: str
) -> None:
    body = msgspec.json.encode(EventBody.of(event))
    click.echo(body.decode())
    if forward_to is None:
        return
    now = int(time.time())
    headers = {
        "content-type": "application/json",
        "webhook-id": event.public_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign([secret], event.public_id, now, body),
    }
    try:
        response = await client.post(forward_to, content=body, headers=headers)
        click.echo(f"  {forward_to}: {response.status_code}", err=True)
    except httpx.HTTPError as error:
        click.echo(f"  {forward_to}: {type(error).__name__}", err=True)
