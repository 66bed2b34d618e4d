"""Watchlist, progress and votes against a model, under interleaved calls of several profiles."""

import asyncio
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from litestar import Litestar
from sqlalchemy import text

from catalog.factories import add_films
from conftest import PASSWORD, app_with, forget_everything, http_client
from videoflix.accounts.service import Accounts
from videoflix.platform.postgres.session import transaction
from videoflix.sessions.service.sessions import Sessions

VIDEOS = "/api/v1/videos"
WATCHLIST = "/api/v1/watchlist"
PEOPLE = st.integers(0, 2)
FILMS = st.integers(0, 3)
# Each film lasts so many seconds.
DURATION = 100.0


class Model(RuleBasedStateMachine):
    """What each person's lists should be; every rule does the same to both."""

    app: Litestar
    loop: asyncio.AbstractEventLoop

    @initialize()
    def begin(self) -> None:
        forget_everything()
        self.watchlists: list[list[int]] = [[], [], []]
        self.votes: dict[tuple[int, int], str] = {}
        self.states: dict[tuple[int, int], tuple[int, float]] = {}
        self.films, self.clients = self.run(self._populate())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def _populate(self) -> tuple[list[int], list[Any]]:
        async with transaction() as session:
            await session.execute(text("truncate user_account, video cascade"))
        async with transaction() as session:
            films = await add_films(session, *({"title": f"F{n}"} for n in range(4)))
        clients = []
        async with transaction() as session:
            for number in range(3):
                user = await Accounts(session).create_user(
                    email=f"{number}@example.org", password=PASSWORD
                )
                pair = await Sessions(session).open(user)
                header = {"Authorization": f"Bearer {pair.access}"}
                clients.append(http_client(self.app, header))
        return films, clients

    def call(self, who: int, method: str, path: str, body: object = None) -> Any:
        answer = self.run(self.clients[who].request(method, path, json=body))
        assert answer.status_code < 500, answer.text
        return answer

    @rule(who=PEOPLE, film=FILMS)
    def add(self, who: int, film: int) -> None:
        self.call(who, "POST", WATCHLIST, {"video_id": self.films[film]})
        if film not in self.watchlists[who]:
            self.watchlists[who].insert(0, film)

    @rule(who=PEOPLE, film=FILMS)
    def take(self, who: int, film: int) -> None:
        answer = self.call(who, "DELETE", f"{WATCHLIST}/{self.films[film]}")
        assert answer.status_code == (204 if film in self.watchlists[who] else 404)
        if film in self.watchlists[who]:
            self.watchlists[who].remove(film)

    @rule(who=PEOPLE, film=FILMS, before=st.none() | FILMS)
    def move(self, who: int, film: int, before: int | None) -> None:
        mine = self.watchlists[who]
        body = {"before": None if before is None else self.films[before]}
        path = f"{WATCHLIST}/{self.films[film]}/position"
        answer = self.call(who, "PUT", path, body)
        there = film in mine and (before is None or before in mine)
        assert answer.status_code == (204 if there else 404)
        if there and film != before:
            mine.remove(film)
            mine.insert(len(mine) if before is None else mine.index(before), film)

    @rule(who=PEOPLE, film=FILMS, seconds=st.floats(0, 150), minute=st.integers(0, 59))
    def watch(self, who: int, film: int, seconds: float, minute: int) -> None:
        body = {"seconds": seconds, "at": f"2026-01-01T12:{minute:02}:00Z"}
        self.call(who, "PUT", f"{VIDEOS}/{self.films[film]}/progress", body)
        known = self.states.get((who, film))
        if known is None or minute >= known[0]:
            self.states[who, film] = minute, min(seconds, DURATION)

    @rule(who=PEOPLE, film=FILMS)
    def forget(self, who: int, film: int) -> None:
        self.call(who, "DELETE", f"/api/v1/history/{self.films[film]}")
        self.states.pop((who, film), None)

    @rule(who=PEOPLE, film=FILMS, vote=st.sampled_from(["up", "down"]))
    def vote(self, who: int, film: int, vote: str) -> None:
        self.call(who, "PUT", f"{VIDEOS}/{self.films[film]}/vote", {"vote": vote})
        self.votes[who, film] = vote

    @rule(who=PEOPLE, film=FILMS)
    def withdraw(self, who: int, film: int) -> None:
        self.call(who, "DELETE", f"{VIDEOS}/{self.films[film]}/vote")
        self.votes.pop((who, film), None)

    @invariant()
    def watchlists_agree(self) -> None:
        for who, mine in enumerate(self.watchlists):
            listed = self.call(who, "GET", WATCHLIST).json()
            assert [item["video"]["id"] for item in listed] == [self.films[film] for film in mine]

    @invariant()
    def histories_agree(self) -> None:
        for who in range(3):
            listed = self.call(who, "GET", "/api/v1/history").json()
            found = {item["video"]["id"]: item["progress"]["seconds"] for item in listed}
            assert found == {
                self.films[film]: seconds
                for (person, film), (_, seconds) in self.states.items()
                if person == who
            }

    @invariant()
    def votes_agree(self) -> None:
        for number, film in enumerate(self.films):
            shown = self.call(0, "GET", f"{VIDEOS}/{film}").json()
            cast = [vote for (_, voted), vote in self.votes.items() if voted == number]
            expected = (cast.count("up"), cast.count("down"))
            assert (shown["upvotes"], shown["downvotes"]) == expected


@pytest.mark.usefixtures("committed")
def test_library_behaves_like_its_model() -> None:
    Model.app = app_with()
    Model.loop = asyncio.new_event_loop()
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    state_machine = Model.TestCase
    state_machine.settings = settings(
        max_examples=5, stateful_step_count=15, deadline=None, suppress_health_check=checks
    )
    try:
        state_machine().runTest()
    finally:
        Model.loop.close()
