"""Plans and memberships over HTTP."""

from typing import Annotated

from advanced_alchemy.filters import LimitOffset
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from videoflix.memberships.schemas import (
    MembershipAdminRead,
    MembershipCreate,
    MembershipRead,
    MembershipUpdate,
    PlanCreate,
    PlanRead,
    PlanUpdate,
)
from videoflix.memberships.service import (
    AlreadyMember,
    CurrencyDiffers,
    InvalidDateRange,
    MembershipNotFound,
    Memberships,
    PlanInUse,
    PlanNotFound,
    PlanTaken,
    UserNotFound,
)
from videoflix.platform.auth.identity import CurrentUser, Role, admins_only, signed_in
from videoflix.platform.http.params import BIGINT_MAX, Id, Limit, Offset, Page, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems

Of = Annotated[int | None, QueryParameter(ge=1, le=BIGINT_MAX)]
STAFF_PROBLEMS = (Unauthorized, Forbidden)


class PlanController(Controller):
    path = "/plans"
    tags = ("Memberships",)
    guards = (signed_in,)
    dependencies = {"memberships": service(Memberships)}

    @get(summary="List plans", responses=problems(Unauthorized))
    async def list_plans(
        self, user: CurrentUser, memberships: NamedDependency[Memberships]
    ) -> list[PlanRead]:
        """List the offered plans, cheapest first; administrators see all."""
        everything = user.may(Role.ADMIN)
        found = await memberships.plans.list_all(offered_only=not everything)
        return [PlanRead.of(plan) for plan in found]

    @post(
        summary="Add a plan", guards=[admins_only], responses=problems(*STAFF_PROBLEMS, PlanTaken)
    )
    async def add_plan(
        self, memberships: NamedDependency[Memberships], data: JSONBody[PlanCreate]
    ) -> PlanRead:
        """Add a plan. Once there is a plan, people need a membership to watch."""
        return PlanRead.of(await memberships.add_plan(data))

    @patch(
        "/{plan_id:int}",
        summary="Update a plan",
        guards=[admins_only],
        responses=problems(*STAFF_PROBLEMS, PlanNotFound, PlanTaken),
    )
    async def change_plan(
        self,
        memberships: NamedDependency[Memberships],
        plan_id: FromPath[Id],
        data: JSONBody[PlanUpdate],
    ) -> PlanRead:
        """Update a plan for all its members; running streams are limited to its resolution."""
        return PlanRead.of(await memberships.change_plan(plan_id, data))

    @delete(
        "/{plan_id:int}",
        summary="Delete a plan",
        guards=[admins_only],
        responses=problems(*STAFF_PROBLEMS, PlanNotFound, PlanInUse),
    )
    async def delete_plan(
        self, memberships: NamedDependency[Memberships], plan_id: FromPath[Id]
    ) -> None:
        """Delete a plan that never had members. Without plans, watching needs no membership."""
        await memberships.remove_plan(plan_id)


class MembershipController(Controller):
    path = "/memberships"
    tags = ("Memberships",)
    guards = (admins_only,)
    dependencies = {"memberships": service(Memberships)}

    @get(summary="List memberships", responses=problems(*STAFF_PROBLEMS))
    async def list_memberships(
        self,
        memberships: NamedDependency[Memberships],
        user_id: Of = None,
        plan_id: Of = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[MembershipAdminRead]:
        """List memberships, newest first, optionally of a user or a plan."""
        page = LimitOffset(limit, offset)
        found, total = await memberships.page(page, user_id=user_id, plan_id=plan_id)
        return Page(found, total, limit, offset)

    @post(
        summary="Add membership",
        responses=problems(
            *STAFF_PROBLEMS, UserNotFound, PlanNotFound, AlreadyMember, InvalidDateRange
        ),
    )
    async def add_membership(
        self, memberships: NamedDependency[Memberships], data: JSONBody[MembershipCreate]
    ) -> MembershipRead:
        """Add a membership; a user has at most one."""
        return await memberships.add(data)

    @patch(
        "/{membership_id:int}",
        summary="Update a membership",
        responses=problems(
            *STAFF_PROBLEMS, MembershipNotFound, PlanNotFound, InvalidDateRange, CurrencyDiffers
        ),
    )
    async def change_membership(
        self,
        memberships: NamedDependency[Memberships],
        membership_id: FromPath[Id],
        data: JSONBody[MembershipUpdate],
    ) -> MembershipRead:
        """Change plan, dates or the number of streams; applies to running streams."""
        return await memberships.change(membership_id, data)

    @delete(
        "/{membership_id:int}",
        summary="Delete a membership",
        responses=problems(*STAFF_PROBLEMS, MembershipNotFound),
    )
    async def delete_membership(
        self, memberships: NamedDependency[Memberships], membership_id: FromPath[Id]
    ) -> None:
        """Delete a membership added by mistake; uncharged periods are not charged."""
        await memberships.remove(membership_id)

    @post(
        "/{membership_id:int}/cancel",
        summary="Cancel a membership",
        status_code=HTTP_200_OK,
        responses=problems(*STAFF_PROBLEMS, MembershipNotFound),
    )
    async def cancel_membership(
        self, memberships: NamedDependency[Memberships], membership_id: FromPath[Id]
    ) -> MembershipRead:
        """Cancel a membership immediately; running streams end."""
        return await memberships.cancel(membership_id)
