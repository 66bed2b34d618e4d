"""Send webhooks over HTTP: to permitted addresses, without redirects, and within limits.

Loads httpx: import it in workers only.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

import httpx

from videoflix.platform.outbound.addresses import AddressRefused, Network
from videoflix.platform.outbound.guarded_transport import GuardedTransport
from videoflix.webhooks.schemas import Outcome, SignedRequest

CONNECT_SECONDS = 5.0
# The whole exchange, however slowly bytes arrive.
TOTAL_SECONDS = 15.0
BODY_MAX = 2048
EXCERPT_MAX = 500
CONNECTIONS = 8


class Sender:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, request: SignedRequest) -> Outcome:
        """Send a request once; failures are part of the outcome."""
        started = time.monotonic()
        status, excerpt, error = None, "", ""
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                status, excerpt = await self._exchange(request)
        except TimeoutError:
            error = f"No complete response within {TOTAL_SECONDS:g} seconds."
        except AddressRefused:
            error = "The URL leads to an address that is not public."
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = f"The endpoint cannot be reached ({type(failure).__name__})."
        elapsed = round((time.monotonic() - started) * 1000)
        return Outcome(request.delivery_id, request.attempt, status, excerpt, error, elapsed)

    async def _exchange(self, request: SignedRequest) -> tuple[int, str]:
        async with self._client.stream(
            "POST", request.url, content=request.body, headers=request.headers
        ) as response:
            read = b""
            async for block in response.aiter_raw(BODY_MAX):
                read += block
                if len(read) >= BODY_MAX:
                    break  # leaving the block closes the connection
        text = read[:EXCERPT_MAX].decode(errors="replace").replace("\0", "\ufffd")
        return response.status_code, text


@asynccontextmanager
async def open_sender(allowed: Sequence[Network]) -> AsyncGenerator[Sender]:
    headers = {"User-Agent": f"videoflix/{version('videoflix')}", "Accept-Encoding": "identity"}
    async with httpx.AsyncClient(
        transport=GuardedTransport(allowed, connections=CONNECTIONS),
        timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
        headers=headers,
        follow_redirects=False,
        trust_env=False,
    ) as client:
        yield Sender(client)
