"""Import of accounts, with their passwords."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.schemas import Email
from videoflix.accounts.service import imported_password
from videoflix.importers.repository import ImportRepository
from videoflix.importers.schemas import Kind, KindReport, OldUser, Site
from videoflix.importers.service.context import ImportContext
from videoflix.platform.auth.identity import Role

# An ID of the older backend is kept below this; the sequence continues after it.
ID_MAX = 2**31

NAME_MAX, PHONE_MAX, ADDRESS_MAX = 100, 30, 300
GUEST = re.compile(
    r"videoflix-\w+@(test|guest|temp|no-mail|mock|demo|rnd-mail)\.com(?!\n)$", re.ASCII
)

NO_ADDRESS = "has no valid e-mail address"
IS_GUEST = "is a guest"
UNCONFIRMED = "never confirmed the e-mail address, and can register again"
SAME_ADDRESS = "has the e-mail address of an existing account, which was kept as it is"
NEW_ID = "has a new ID, because its old one is taken"
OTHER_HASH = "has to reset the password, because its hash is of an unsupported kind"


class People:
    def __init__(self, session: AsyncSession, context: ImportContext) -> None:
        self.session = session
        self.context = context
        self.repository = ImportRepository(session)

    async def add(self, users: Sequence[OldUser]) -> None:
        """Add accounts with their old IDs where these are free; existing accounts stay."""
        report = self.context.reports[Kind.USER]
        new = await self.context.unknown(self.session, Kind.USER, users)
        rows = {user.id: _row(user) for user in new if self._is_wanted(user, report)}
        keys = {old_id: row["email_key"] for old_id, row in rows.items()}
        there = await self.repository.accounts(keys.values())
        fresh: dict[str, Row] = {}
        for old_id, row in rows.items():
            if row["email_key"] in there or row["email_key"] in fresh:
                report.note(SAME_ADDRESS, row["email"])
            else:
                fresh[row["email_key"]] = {"id": old_id, **row}
        added = await self._insert(list(fresh.values()), report)
        there |= added
        # An account that registered in the meantime counts as existing.
        if missing := set(fresh) - set(there):
            there |= await self.repository.accounts(missing)
        ids = {old_id: there[key] for old_id, key in keys.items()}
        await self.context.added(self.session, Kind.USER, ids)
        report.added += len(added) - len(ids)
        report.known += len(ids) - len(added)

    async def _insert(self, rows: list["Row"], report: KindReport) -> dict[str, int]:
        if not rows:
            return {}
        wanted = [row["id"] for row in rows if row["id"] < ID_MAX]
        free = await self.repository.free_ids(User, wanted)
        moved = [row for row in rows if row["id"] not in free]
        for row, new_id in zip(moved, await self.repository.next_ids(len(moved)), strict=True):
            report.note(NEW_ID, f"{row['email']}: {row['id']} -> {new_id}")
            row["id"] = new_id
        return await self.repository.add_users(rows)

    def _is_wanted(self, user: OldUser, report: KindReport) -> bool:
        reason = _refusal(user, self.context.site)
        if reason is not None:
            report.leave_out(reason, user.sign_in_address or f"user {user.id}")
            return False
        if user.password and imported_password(user.password) == imported_password(""):
            report.note(OTHER_HASH, user.sign_in_address)
        return True


Row = dict[str, Any]


def _refusal(user: OldUser, site: Site) -> str | None:
    """Why an account is not imported, or None."""
    try:
        msgspec.convert(user.sign_in_address, Email)
    except msgspec.ValidationError:
        return NO_ADDRESS
    if site is Site.NETIFLEX and GUEST.match(user.sign_in_address):
        return IS_GUEST
    # There, a new account is inactive until its address is confirmed.
    is_new = site is Site.NETIFLEX and not user.is_active and user.last_login is None
    return UNCONFIRMED if is_new or not user.is_verified else None


def _row(user: OldUser) -> Row:
    now = datetime.now(UTC)
    since = min(user.since or now, now)
    first, last = _names(user)
    email = user.sign_in_address
    return {
        "email": email,
        "email_key": User(email=email).email_key,
        "first_name": first,
        "last_name": last,
        "phone": _line(user.phone, PHONE_MAX),
        "address": _line(user.address, ADDRESS_MAX),
        "language": "en",
        "password_hash": imported_password(user.password),
        "role": _role(user),
        "is_active": user.is_active,
        "is_guest": False,
        "confirmed_at": since,
        "created_at": since,
        "updated_at": now,
    }


def _role(user: OldUser) -> Role:
    if user.is_superuser:
        return Role.ADMIN
    return Role.EDITOR if user.is_staff else Role.VIEWER


def _names(user: OldUser) -> tuple[str, str]:
    first, last = _line(user.first_name, NAME_MAX), _line(user.last_name, NAME_MAX)
    if not first and not last and user.name:
        first, _, last = _line(user.name, NAME_MAX).rpartition(" ")
        first, last = first or last, last if first else ""
    return first, last


def _line(text: str | None, length: int) -> str:
    """A text on one line, without control characters, cut to a length."""
    printable = "".join(char if char.isprintable() else " " for char in text or "")
    return " ".join(printable.split())[:length]
