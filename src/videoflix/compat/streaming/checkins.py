"""Checking people in and out."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK

from videoflix.billing.models import InvoiceLine
from videoflix.compat.drf.errors import Refusal, field_error
from videoflix.compat.drf.parsing import read
from videoflix.compat.streaming.access import trusted
from videoflix.memberships.service import MembershipNeeded, PersonUnknown
from videoflix.platform.http.params import BIGINT_MAX, service
from videoflix.platform.problems import Problem
from videoflix.playback.service.checkins import CheckIns, NotCheckedIn
from videoflix.playback.service.streams import LIMITS

INVALID = "User membership invalid"


class Member(msgspec.Struct):
    id: Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]


class CounterController(Controller):
    guards = (trusted,)
    dependencies = {"check_ins": service(CheckIns)}

    @post("/checkin", status_code=HTTP_200_OK, opt={"canonical": "POST /api/v1/streams"})
    async def check_in(
        self, request: Request[Any, Any, Any], check_ins: NamedDependency[CheckIns]
    ) -> dict[str, int]:
        member = await read(request, Member)
        try:
            return _shown(await check_ins.check_in(member.id))
        except (PersonUnknown, *LIMITS) as error:
            raise _refusal(error) from error

    @post(
        "/checkout",
        status_code=HTTP_200_OK,
        opt={"canonical": "DELETE /api/v1/streams/{stream_id}"},
    )
    async def check_out(
        self, request: Request[Any, Any, Any], check_ins: NamedDependency[CheckIns]
    ) -> dict[str, int]:
        """A bare list tells who is not checked in, as it told of a month without an invoice."""
        member = await read(request, Member)
        try:
            return _shown(await check_ins.check_out(member.id))
        except NotCheckedIn as error:
            raise Refusal([INVALID]) from error
        except (PersonUnknown, *LIMITS) as error:
            raise _refusal(error) from error


def _refusal(error: Problem) -> Refusal:
    if isinstance(error, PersonUnknown):
        return field_error("id", "User id does not exist")
    if type(error) is MembershipNeeded:
        return field_error("id", "User membership does not exist")
    return field_error("id", INVALID)


def _shown(line: InvoiceLine) -> dict[str, int]:
    return {"invoice_id": line.invoice_id, "invoice_line_id": line.id}
