"""The API process dies between a start and its answer: nothing is lost, nothing counts twice."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import asyncpg
import httpx
import pytest

from catalog.factories import add_films
from conftest import PASSWORD
from journeys.conftest import free_port, stop, wait_until_ready
from queue_helpers import rows
from videoflix.accounts.service import Accounts
from videoflix.memberships.models import Billing
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate
from videoflix.memberships.service import Memberships
from videoflix.platform.postgres.session import transaction
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings

SERVER = [sys.executable, "-m", "uvicorn", "videoflix.app:create_app", "--factory"]
WAITING = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
LEASES = "select id from stream_lease where ended_at is null"


class Api:
    """An API process on the test run's database."""

    def __init__(self) -> None:
        port = free_port()
        command = [*SERVER, "--port", str(port), "--log-level", "warning"]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(command)


@pytest.fixture
def apis(committed: None) -> Iterator[list[Api]]:
    """Two API processes: one to die, one to go on with."""
    with ExitStack() as stack:
        running = [Api(), Api()]
        for api in running:
            stack.callback(stop, api.process)
        for api in running:
            wait_until_ready(api.url, "/health/live")
        yield running


@pytest.fixture
async def member(committed: None) -> dict[str, str]:
    """How a member with one stream at once, charged for each, signs in."""
    async with transaction() as session:
        user = await Accounts(session).create_user(email="m@example.org", password=PASSWORD)
        pair = await Sessions(session).open(user)
        plan = await Memberships(session).add_plan(
            PlanCreate(
                name="One",
                price=300,
                currency=Currency.EUR,
                streams=1,
                billing=Billing.PER_STREAM,
            )
        )
        await Memberships(session).add(MembershipCreate(user_id=user.id, plan_id=plan.id))
    return {"Authorization": f"Bearer {pair.access}", "Idempotency-Key": "the-same"}


async def until(query: str) -> None:
    async with asyncio.timeout(20):
        while not await rows(query):
            pass


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
async def test_start_survives_the_death_of_its_process(
    member: dict[str, str], apis: list[Api], moment: str
) -> None:
    async with transaction() as session:
        (film,) = await add_films(session, {"title": "Film"})
    dying, other = apis
    body = {"video_id": film, "device": "TV"}
    async with httpx.AsyncClient(headers=member, timeout=30) as client:
        holder = await asyncpg.connect(settings.database_dsn)
        hold = holder.transaction()
        await hold.start()
        if moment == "before the commit":
            await holder.execute("lock table stream_lease in exclusive mode")
        request = asyncio.create_task(client.post(f"{dying.url}/api/v1/streams", json=body))
        await until(WAITING if moment == "before the commit" else LEASES)
        dying.process.kill()
        dying.process.wait()
        await hold.rollback()
        await holder.close()
        await asyncio.gather(request, return_exceptions=True)

        again = await client.post(f"{other.url}/api/v1/streams", json=body)
        assert again.status_code == 201, again.text
        assert [row["id"] for row in await rows(LEASES)] == [again.json()["id"]]
        full = await client.post(
            f"{other.url}/api/v1/streams", json=body, headers={"Idempotency-Key": "another"}
        )
        assert full.status_code == 409, "the credit is taken once, and only once"
        stopped = await client.delete(f"{other.url}/api/v1/streams/{again.json()['id']}")
        assert stopped.status_code == 204
    assert [row["amount"] for row in await rows("select amount from invoice_line")] == [300]
