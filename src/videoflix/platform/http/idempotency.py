"""Idempotency keys: a retry with the same key and body gets the stored response.

The key is inserted in the transaction that does the work, so a concurrent retry waits for the
first request, and then returns its response, or does the work if the first one failed.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, ClassVar, TypeVar

import msgspec
from litestar.params import HeaderParameter
from sqlalchemy import BigInteger, Index, String, UniqueConstraint, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record
from videoflix.platform.problems import Problem
from videoflix.platform.retention import retention

RETENTION = timedelta(days=1)
# Class names of requests in earlier releases, which are part of stored keys.
FORMER_NAMES = {"InvoiceCreate": "NewInvoice"}

Key = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=200,
        pattern=r"^[\x21-\x7e]*(?!\n)$",
        description="A unique value chosen by the client; a retry with it is not executed again.",
    ),
]
Result = TypeVar("Result", bound=msgspec.Struct)

CLAIM = text("""
insert into idempotent_answer (user_id, key, request_hash, answer, created_at, updated_at)
values (:user_id, :key, :hash, '', now(), now())
on conflict do nothing returning id
""")
FIND = text(
    "select request_hash, answer from idempotent_answer where user_id = :user_id and key = :key"
)
KEEP = text("update idempotent_answer set answer = :answer where id = :id")
SWEEP = text(
    "delete from idempotent_answer where created_at < now() - cast(:kept as interval) returning id"
)

logger = logging.getLogger(__name__)


class IdempotentAnswer(Record):
    """The stored response of a request, by its key."""

    __tablename__ = "idempotent_answer"

    user_id: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column(String(300))
    request_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[str]

    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index("ix_idempotent_answer_created_at", "created_at"),
    )


class KeyReused(Problem):
    """This Idempotency-Key was used for another request."""

    status: ClassVar = HTTPStatus.UNPROCESSABLE_ENTITY


@retention("stored responses of idempotency keys", kept="a day")
async def delete_answers(session: AsyncSession) -> int:
    return len((await session.scalars(SWEEP, {"kept": RETENTION})).all())


async def run_once(
    session: AsyncSession,
    user_id: int,
    key: str,
    request: msgspec.Struct,
    make: Callable[[], Awaitable[Result]],
) -> Result:
    """Execute a request once per key, returning the stored response of the first one.

    Without a key it is always executed. Raises KeyReused if the body differs.
    """
    if not key:
        return await make()
    body = msgspec.json.encode(request)
    name = type(request).__name__
    full_key = f"{FORMER_NAMES.get(name, name)}:{key}"
    values = {"user_id": user_id, "key": full_key, "hash": hashlib.sha256(body).hexdigest()}
    claimed = await session.scalar(CLAIM, values)
    if claimed is None:
        known = (await session.execute(FIND, {"user_id": user_id, "key": full_key})).one()
        if known.request_hash != values["hash"]:
            raise KeyReused
        return msgspec.json.decode(known.answer, type=_answer_type(make))
    answer = await make()
    await session.execute(KEEP, {"id": claimed, "answer": msgspec.json.encode(answer).decode()})
    return answer


def _answer_type(make: Callable[[], Awaitable[Result]]) -> type[Result]:
    kind: type[Result] = make.__annotations__["return"]
    return kind
