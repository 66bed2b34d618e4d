"""What a limit on streams costs, and whether it slows down as leases pile up.

    uv run python benchmarks/streams.py [--seconds 6] [--leases 100000]

Start and stop of a stream, over and over, by 1, 10 and 100 members at once, each with a limit of
two; then the latency of one member's start and stop in an empty table against one with a hundred
thousand live leases, in turns.
"""

import sys
from pathlib import Path

# The project's root comes first, however this is started: beside it lies a queue.py of our own.
sys.path[0] = str(Path(__file__).parents[1])

import argparse
import asyncio
import os
import statistics
import subprocess
import tempfile
import time

from sqlalchemy import text

from benchmarks.serving import verdict
from videoflix.platform.postgres.embedded import EmbeddedPostgres

MEMBERS = 100
ROUNDS = 5
PAIRS = 150

PEOPLE = """
insert into user_account (email, email_key, first_name, last_name, phone, address, language,
                          password_hash, role, is_active, is_guest, confirmed_at, created_at,
                          updated_at)
select n || '@example.org', n || '@example.org', '', '', '', '', 'en', '!', 'viewer', true, false,
       now(), now(), now()
from generate_series(1, :n) as n
"""
PLAN = """
insert into plan (name, price, currency, period, streams, profiles, is_offered, created_at,
                  updated_at) values ('P', 100, 'EUR', 'month', 2, 5, true, now(), now())
"""
MEMBERSHIPS = """
insert into membership (user_id, plan_id, starts_at, created_at, updated_at)
select user_account.id, plan.id, now() - interval '1 day', now(), now() from user_account, plan
"""
# Other people's, one each.
CROWD = """
insert into stream_lease (user_id, video_id, sign_in_id, device, seen_at, created_at, updated_at)
select id, 1, 0, 'TV', now() + interval '1 hour', now(), now() from user_account where id > :first
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--leases", type=int, default=100_000)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return 0 if asyncio.run(measure(options.seconds, options.leases)) else 1
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        with EmbeddedPostgres(Path(home) / "postgres", durable=False) as postgres:
            environment = os.environ | {
                "DATABASE_URL": postgres.dsn(),
                "DATABASE_POOL_SIZE": "20",
                "VIDEOFLIX_HOME": home,
                "SECRET_KEY": "k" * 40,
            }
            ours = [sys.executable, "-m", "videoflix.cli"]
            for command in (["migrate"], ["seed", "bulk", "--videos", "1"]):
                subprocess.run([*ours, *command], env=environment, check=True, capture_output=True)
            again = [sys.executable, "-m", "benchmarks.streams", "--measure", *sys.argv[1:]]
            return subprocess.run(again, env=environment).returncode


async def measure(seconds: float, leases: int) -> bool:
    # The application reads its settings when it is imported: only in this process.
    from videoflix.platform.postgres.session import transaction

    async with transaction() as session:
        await session.execute(text(PEOPLE), {"n": MEMBERS + leases})
        await session.execute(text(PLAN))
        await session.execute(text(MEMBERSHIPS))
    results = []
    for members in (1, 10, MEMBERS):
        pairs = await per_second(members, seconds)
        print(f"  {members:>3} members: {pairs:.0f} starts and stops a second")
        results.append(pairs)
    ratios = []
    for _ in range(ROUNDS):
        await clear()
        empty = await latency()
        async with transaction() as session:
            await session.execute(text(CROWD), {"first": MEMBERS})
        ratios.append(await latency() / empty)
    crowded = statistics.median(ratios)
    claim = f"latency with {leases:,} live leases / none"
    return all(
        [
            verdict("100 members / 1 member, starts a second", results[2] / results[0], 1.0, True),
            verdict(claim, crowded, 1.5, crowded <= 1.5),
        ]
    )


async def clear() -> None:
    from videoflix.platform.postgres.session import transaction

    async with transaction() as session:
        await session.execute(text("truncate stream_lease"))


async def per_second(members: int, seconds: float) -> float:
    """Starts with their stops per second, by so many members at once."""
    until = time.perf_counter() + seconds
    done = 0

    async def keep_on(user_id: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await start_and_stop(user_id)
            done += 1

    await asyncio.gather(*[keep_on(1 + number) for number in range(members)])
    return done / seconds


async def latency() -> float:
    """The median time of a start and a stop by one member, in milliseconds."""
    taken = []
    for _ in range(PAIRS):
        begun = time.perf_counter()
        await start_and_stop(1)
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


async def start_and_stop(user_id: int) -> None:
    from videoflix.platform.auth.identity import Role
    from videoflix.platform.postgres.session import transaction
    from videoflix.playback.service.streams import Streams
    from videoflix.profiles.schemas import ALL_AGES, Viewer

    viewer = Viewer(user_id, 0, Role.VIEWER, ALL_AGES, member=True)
    async with transaction() as session:
        lease = await Streams(session).begin(viewer, 0, 1, "TV")
    async with transaction() as session:
        await Streams(session).stop(user_id, lease.id)


if __name__ == "__main__":
    sys.exit(main())
