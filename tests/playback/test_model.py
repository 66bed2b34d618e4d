"""Streams and what they cost, under any interleaving of starts, stops, silence and plans."""

import asyncio
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from litestar import Litestar
from sqlalchemy import text

from catalog.factories import add_films
from conftest import PASSWORD, app_with, forget_everything, http_client
from queue_helpers import execute, rows
from videoflix.accounts.service import Accounts
from videoflix.memberships.models import Billing
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate, PlanUpdate
from videoflix.memberships.service import Memberships
from videoflix.platform.auth.revocations import ended_streams
from videoflix.platform.postgres.session import transaction
from videoflix.playback.jobs import close_all_expired
from videoflix.playback.service.streams import heartbeats
from videoflix.sessions.service.sessions import Sessions

STREAMS = "/api/v1/streams"
PRICE = 250


class Model(RuleBasedStateMachine):
    """One member; `live` are the leases that should count, in the order they began."""

    app: Litestar
    loop: asyncio.AbstractEventLoop

    @initialize()
    def begin(self) -> None:
        forget_everything()
        ended_streams._until.clear()
        heartbeats._seen.clear()
        self.limit = 2
        self.live: list[int] = []
        self.started: list[int] = []
        self.film, self.plan, self.client = self.run(self._populate())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def _populate(self) -> tuple[int, int, Any]:
        async with transaction() as session:
            await session.execute(
                text("truncate user_account, video, plan, invoice, invoice_number cascade")
            )
        async with transaction() as session:
            (film,) = await add_films(session, {"title": "Film"})
        async with transaction() as session:
            user = await Accounts(session).create_user(email="m@example.org", password=PASSWORD)
            pair = await Sessions(session).open(user)
        async with transaction() as session:
            memberships = Memberships(session)
            new = PlanCreate(
                name="P",
                price=PRICE,
                currency=Currency.EUR,
                streams=self.limit,
                billing=Billing.PER_STREAM,
            )
            plan = await memberships.add_plan(new)
            await memberships.add(MembershipCreate(user_id=user.id, plan_id=plan.id))
        header = {"Authorization": f"Bearer {pair.access}"}
        return film, plan.id, http_client(self.app, header)

    def call(self, method: str, path: str, body: object = None, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.run(self.client.request(method, path, json=body, headers=headers))
        assert answer.status_code < 500, answer.text
        return answer

    @rule()
    def start(self) -> None:
        answer = self.call("POST", STREAMS, {"video_id": self.film})
        if len(self.live) < self.limit:
            assert answer.status_code == 201
            self.live.append(answer.json()["id"])
            self.started.append(answer.json()["id"])
        else:
            assert answer.status_code == 409
            assert [one["id"] for one in answer.json()["streams"]] == self.live

    @rule()
    def start_twice_with_one_key(self) -> None:
        key = f"k{len(self.started)}-{len(self.live)}-{self.limit}"
        first, again = (self.call("POST", STREAMS, {"video_id": self.film}, key) for _ in range(2))
        if first.status_code == 201:
            assert again.text == first.text
            if first.json()["id"] not in self.started:
                self.live.append(first.json()["id"])
                self.started.append(first.json()["id"])

    @precondition(lambda self: self.started)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.started))
        assert self.call("DELETE", f"{STREAMS}/{lease}").status_code == 204
        if lease in self.live:
            self.live.remove(lease)

    @precondition(lambda self: self.started)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.started))
        expected = 200 if lease in self.live else 410
        assert self.call("PUT", f"{STREAMS}/{lease}").status_code == expected

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def fall_silent(self, data: st.DataObject) -> None:
        """The player crashed: nobody says anything."""
        lease = data.draw(st.sampled_from(self.live))
        self.run(
            execute(
                "update stream_lease set seen_at = now() - interval '91 s' where id = :id",
                id=lease,
            )
        )
        self.live.remove(lease)

    @rule()
    def close_silent(self) -> None:
        self.run(close_all_expired())

    @rule(streams=st.integers(1, 4))
    def change_plan(self, streams: int) -> None:
        async def change() -> None:
            async with transaction() as session:
                await Memberships(session).change_plan(self.plan, PlanUpdate(streams=streams))

        self.run(change())
        self.limit = streams

    @invariant()
    def live_ones_are_those_that_should_be(self) -> None:
        listed = self.call("GET", STREAMS).json()
        assert [one["id"] for one in listed] == self.live

    @invariant()
    def every_ended_stream_is_charged_once(self) -> None:
        charged = self.run(rows("select source, amount from invoice_line order by id"))
        ended = self.run(rows("select id from stream_lease where ended_at is not null"))
        assert {row["source"] for row in charged} == {f"stream:{row['id']}" for row in ended}
        assert len(charged) == len(ended)
        sums = self.run(rows("select coalesce(sum(amount), 0) as total from invoice"))
        assert sums == [{"total": PRICE * len(ended)}]


@pytest.mark.usefixtures("committed")
def test_streams_behave_like_their_model() -> None:
    Model.app = app_with()
    Model.loop = asyncio.new_event_loop()
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    state_machine = Model.TestCase
    state_machine.settings = settings(
        max_examples=8, stateful_step_count=20, deadline=None, suppress_health_check=checks
    )
    try:
        state_machine().runTest()
    finally:
        Model.loop.close()
