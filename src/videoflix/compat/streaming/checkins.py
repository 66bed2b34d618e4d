"""Check-in and check-out."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK

from videoflix.billing.models import InvoiceLine
from videoflix.compat.drf.errors import DrfError, field_error
from videoflix.compat.drf.parsing import read
from videoflix.compat.streaming.access import proxy_or_admin
from videoflix.memberships.service import MembershipRequired, UserNotFound
from videoflix.platform.http.params import BIGINT_MAX, service
from videoflix.platform.problems import Problem
from videoflix.playback.service.checkins import CheckIns, NotCheckedIn
from videoflix.playback.service.streams import STREAM_PROBLEMS

INVALID = "User membership invalid"


class MemberForm(msgspec.Struct):
    id: Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]


class CheckInController(Controller):
    guards = (proxy_or_admin,)
    dependencies = {"check_ins": service(CheckIns)}

    @post("/checkin", status_code=HTTP_200_OK, opt={"canonical": "POST /api/v1/streams"})
    async def check_in(
        self, request: Request[Any, Any, Any], check_ins: NamedDependency[CheckIns]
    ) -> dict[str, int]:
        member = await read(request, MemberForm)
        try:
            return _serialize(await check_ins.check_in(member.id))
        except (UserNotFound, *STREAM_PROBLEMS) as error:
            raise _refusal(error) from error

    @post(
        "/checkout",
        status_code=HTTP_200_OK,
        opt={"canonical": "DELETE /api/v1/streams/{stream_id}"},
    )
    async def check_out(
        self, request: Request[Any, Any, Any], check_ins: NamedDependency[CheckIns]
    ) -> dict[str, int]:
        """Check out; errors are a bare list, as in the older backend."""
        member = await read(request, MemberForm)
        try:
            return _serialize(await check_ins.check_out(member.id))
        except NotCheckedIn as error:
            raise DrfError([INVALID]) from error
        except (UserNotFound, *STREAM_PROBLEMS) as error:
            raise _refusal(error) from error


def _refusal(error: Problem) -> DrfError:
    if isinstance(error, UserNotFound):
        return field_error("id", "User id does not exist")
    if type(error) is MembershipRequired:
        return field_error("id", "User membership does not exist")
    return field_error("id", INVALID)


def _serialize(line: InvoiceLine) -> dict[str, int]:
    return {"invoice_id": line.invoice_id, "invoice_line_id": line.id}
