"""Questions to a service that is not ours: it may be slow, broken, lying or gone; we are not.

A leaf. Each question has one deadline, retry included; the answer is read only so far, and only
believed if it is what was agreed. Redirects are not followed.
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

ANSWER_MAX_BYTES = 4 * 1024 * 1024
CONNECT_SECONDS = 1.0
# Before the second try; by chance, so that not everybody comes back at once.
PAUSE_SECONDS = (0.05, 0.2)
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # a compressed answer might be any size
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
# It would write every question into the log: what people search for.
logging.getLogger("httpx").setLevel(logging.WARNING)


class ProviderUnavailable(Exception):
    """No answer, or not what was agreed; `retry_after` counts seconds."""

    def __init__(self, reason: str, retry_after: float = 5.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RequestRejected(Exception):
    """The service works, and does not accept this question (422)."""


class TransientError(Exception):
    """The service failed in a way that may be over in a moment."""


FAILURES = (
    OSError,  # time-outs too
    ValueError,
    RecursionError,
    httpx.HTTPError,
    msgspec.MsgspecError,
    TransientError,
)


class ProviderClient:
    """One service, asked by this process at most `in_flight` times at once."""

    def __init__(self, base_url: str, *, seconds: float, in_flight: int) -> None:
        self.seconds = seconds
        self._breaker = CircuitBreaker()
        self._places = asyncio.Semaphore(in_flight)
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers=HEADERS,
            timeout=httpx.Timeout(seconds / 2, connect=min(CONNECT_SECONDS, seconds / 2)),
            limits=httpx.Limits(max_connections=in_flight),
            follow_redirects=False,
            trust_env=False,
        )

    async def get(self, path: str, params: Parameters, kind: type[Kind]) -> Kind:
        """The answer to a question. Raises ProviderUnavailable or RequestRejected, soon."""
        deadline = asyncio.get_running_loop().time() + self.seconds
        try:
            async with asyncio.timeout(self.seconds / 2):  # the other half is for the answer
                await self._places.acquire()
        except TimeoutError as error:
            raise ProviderUnavailable("too many questions at once") from error
        try:
            return await self._ask(path, params, kind, deadline)
        finally:
            self._places.release()

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, path: str, params: Parameters, kind: type[Kind], deadline: float) -> Kind:
        if wait := self._breaker.wait():
            raise ProviderUnavailable("it failed too often; it is left alone for a while", wait)
        try:
            async with asyncio.timeout_at(deadline):
                body = await self._read_with_retry(path, params)
            answer = msgspec.json.decode(body, type=kind)
        except RequestRejected:
            self._breaker.succeeded()
            raise
        except FAILURES as error:
            self._breaker.failed()
            reason = f"{type(error).__name__}: {error}"
            logger.warning("%s did not answer as agreed (%s)", self._client.base_url, reason[:300])
            raise ProviderUnavailable(reason) from error
        except BaseException:
            self._breaker.cancelled()
            raise
        self._breaker.succeeded()
        return answer

    async def _read_with_retry(self, path: str, params: Parameters) -> bytes:
        try:
            return await self._read(path, params)
        except (httpx.TransportError, TransientError):
            await asyncio.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - no secret
            return await self._read(path, params)

    async def _read(self, path: str, params: Parameters) -> bytes:
        async with self._client.stream("GET", path, params=params) as answer:
            if answer.status_code in TRANSIENT:
                raise TransientError(f"status {answer.status_code}")
            if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
                raise RequestRejected
            if answer.status_code != HTTPStatus.OK:
                raise ValueError(f"status {answer.status_code}")
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > ANSWER_MAX_BYTES:
                    raise ValueError(f"more than {ANSWER_MAX_BYTES} bytes")
            return bytes(body)
