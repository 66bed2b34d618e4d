"""Asks the API whether everything that serving needs is there."""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx
import msgspec

EVERY_SECONDS = 0.2
GIVE_UP_SECONDS = 120.0


class Check(msgspec.Struct):
    """One check of `/health/ready`."""

    ok: bool
    detail: str


class Health(msgspec.Struct):
    """The answer of `/health/ready`."""

    checks: dict[str, Check]


class NeverReady(Exception):
    """The installation does not become ready; the message says what fails."""


async def until_ready(url: str, has_ended: Callable[[], bool]) -> None:
    """Wait until the API says that all is well.

    Raises NeverReady when the API `has_ended` before that, or after two minutes.
    """
    missing = "The API does not answer."
    deadline = time.monotonic() + GIVE_UP_SECONDS
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        while time.monotonic() < deadline:
            if has_ended():
                raise NeverReady("The API could not start; the end of its log is above.")
            try:
                answer = await client.get("/health/ready")
            except httpx.TransportError:
                await asyncio.sleep(EVERY_SECONDS)
                continue
            if answer.status_code == HTTPStatus.OK:
                return
            missing = what_fails(answer.content)
            await asyncio.sleep(EVERY_SECONDS)
    raise NeverReady(f"Videoflix did not become ready. {missing}")


def what_fails(answer: bytes) -> str:
    """The sentences of the failing checks."""
    try:
        checks = msgspec.json.decode(answer, type=Health).checks
    except msgspec.DecodeError:
        return "The health check's answer cannot be read."
    return " ".join(f"{name}: {check.detail}" for name, check in checks.items() if not check.ok)
