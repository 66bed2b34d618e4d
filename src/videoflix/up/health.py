"""Wait for the API's readiness check."""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx
import msgspec

INTERVAL_SECONDS = 0.2
TIMEOUT_SECONDS = 120.0


class Check(msgspec.Struct):
    """One check of `/health/ready`."""

    ok: bool
    detail: str


class Health(msgspec.Struct):
    """The response of `/health/ready`."""

    checks: dict[str, Check]


class NeverReady(Exception):
    """The installation did not become ready; the message says which checks fail."""


async def until_ready(url: str, has_ended: Callable[[], bool]) -> None:
    """Wait until the API is ready.

    Raises NeverReady if the API `has_ended` before, or after TIMEOUT_SECONDS.
    """
    missing = "The API does not respond."
    deadline = time.monotonic() + TIMEOUT_SECONDS
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        while time.monotonic() < deadline:
            if has_ended():
                raise NeverReady("The API could not start; see its output above.")
            try:
                response = await client.get("/health/ready")
            except httpx.TransportError:
                await asyncio.sleep(INTERVAL_SECONDS)
                continue
            if response.status_code == HTTPStatus.OK:
                return
            missing = failing_checks(response.content)
            await asyncio.sleep(INTERVAL_SECONDS)
    raise NeverReady(f"Videoflix did not become ready. {missing}")


def failing_checks(body: bytes) -> str:
    """Describe the failing checks."""
    try:
        checks = msgspec.json.decode(body, type=Health).checks
    except msgspec.DecodeError:
        return "The response of the health check cannot be decoded."
    return " ".join(f"{name}: {check.detail}" for name, check in checks.items() if not check.ok)
