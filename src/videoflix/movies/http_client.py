"""HTTP client for third-party services: time-outs, limits, retry and circuit breaker.

Each request has one deadline, including its retry; responses are limited in size and validated.
Redirects are not followed.
"""

import asyncio
import logging
import random
from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import TypeVar

import httpx
import msgspec

from videoflix.movies.circuit_breaker import CircuitBreaker

RESPONSE_MAX_BYTES = 4 * 1024 * 1024
CONNECT_SECONDS = 1.0
# Random pause before the retry (jitter), in seconds.
PAUSE_SECONDS = (0.05, 0.2)
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # a compressed response could expand to any size
    "User-Agent": f"videoflix/{version('videoflix')}",
}
TRANSIENT = {
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}

Kind = TypeVar("Kind")
Parameters = Mapping[str, str | int]

logger = logging.getLogger(__name__)
# It would log every URL, with what people search for.
logging.getLogger("httpx").setLevel(logging.WARNING)


class ProviderUnavailable(Exception):
    """No response, or an invalid one; `retry_after` is in seconds."""

    def __init__(self, reason: str, retry_after: float = 5.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RequestRejected(Exception):
    """The service rejected the request (422)."""


class TransientError(Exception):
    """A failure that is worth a retry."""


FAILURES = (
    OSError,  # includes time-outs
    ValueError,
    RecursionError,
    httpx.HTTPError,
    msgspec.MsgspecError,
    TransientError,
)


class ProviderClient:
    """A client of one service, with at most `in_flight` concurrent requests per process."""

    def __init__(self, base_url: str, *, seconds: float, in_flight: int) -> None:
        self.seconds = seconds
        self._breaker = CircuitBreaker()
        self._slots = asyncio.Semaphore(in_flight)
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers=HEADERS,
            timeout=httpx.Timeout(seconds / 2, connect=min(CONNECT_SECONDS, seconds / 2)),
            limits=httpx.Limits(max_connections=in_flight),
            follow_redirects=False,
            trust_env=False,
        )

    async def get(self, path: str, params: Parameters, kind: type[Kind]) -> Kind:
        """GET and decode a response.

        Raises ProviderUnavailable or RequestRejected, within `seconds`.
        """
        deadline = asyncio.get_running_loop().time() + self.seconds
        try:
            async with asyncio.timeout(self.seconds / 2):  # the other half is for the response
                await self._slots.acquire()
        except TimeoutError as error:
            raise ProviderUnavailable("too many concurrent requests") from error
        try:
            return await self._get(path, params, kind, deadline)
        finally:
            self._slots.release()

    async def close(self) -> None:
        await self._client.aclose()

    async def _get(self, path: str, params: Parameters, kind: type[Kind], deadline: float) -> Kind:
        if wait := self._breaker.wait():
            raise ProviderUnavailable("the circuit breaker is open after repeated failures", wait)
        try:
            async with asyncio.timeout_at(deadline):
                body = await self._read_with_retry(path, params)
            response = msgspec.json.decode(body, type=kind)
        except RequestRejected:
            self._breaker.succeeded()
            raise
        except FAILURES as error:
            self._breaker.failed()
            reason = f"{type(error).__name__}: {error}"
            logger.warning("request to %s failed (%s)", self._client.base_url, reason[:300])
            raise ProviderUnavailable(reason) from error
        except BaseException:
            self._breaker.cancelled()
            raise
        self._breaker.succeeded()
        return response

    async def _read_with_retry(self, path: str, params: Parameters) -> bytes:
        try:
            return await self._read(path, params)
        except (httpx.TransportError, TransientError):
            await asyncio.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - no secret
            return await self._read(path, params)

    async def _read(self, path: str, params: Parameters) -> bytes:
        async with self._client.stream("GET", path, params=params) as response:
            if response.status_code in TRANSIENT:
                raise TransientError(f"status {response.status_code}")
            if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
                raise RequestRejected
            if response.status_code != HTTPStatus.OK:
                raise ValueError(f"status {response.status_code}")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > RESPONSE_MAX_BYTES:
                    raise ValueError(f"more than {RESPONSE_MAX_BYTES} bytes")
            return bytes(body)
