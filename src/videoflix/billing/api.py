"""Invoices over HTTP: members read their own, administrators manage all."""

from collections.abc import Sequence
from typing import Annotated, Any

from advanced_alchemy.filters import LimitOffset
from anyio import CapacityLimiter, to_thread
from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK

from videoflix.billing.models import Invoice, InvoiceLine, InvoiceStatus
from videoflix.billing.problems import (
    ChargeNotDeletable,
    InvoiceClosed,
    InvoiceInOtherCurrency,
    InvoiceNotDeletable,
    InvoiceNotFound,
    LineNotFound,
)
from videoflix.billing.schemas import (
    MONTH,
    Charge,
    InvoiceCreate,
    InvoiceDocument,
    InvoiceLineCreate,
    InvoiceLineRead,
    InvoiceLineUpdate,
    InvoiceRead,
    InvoiceUpdate,
    InvoiceWithLines,
    first_day,
)
from videoflix.billing.service import Invoices, format_amount, month_csv
from videoflix.memberships.service import UserNotFound
from videoflix.platform.auth.identity import CurrentUser, Identity, Role, admins_only, signed_in
from videoflix.platform.http.idempotency import Key, KeyReused, run_once
from videoflix.platform.http.params import (
    BIGINT_MAX,
    Id,
    Limit,
    Offset,
    Page,
    names_of,
    one_of,
    service,
)
from videoflix.platform.late_import import late
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.settings import settings

Month = Annotated[
    str | None,
    QueryParameter(pattern=MONTH, description="A month, such as 2026-11."),
]
NumberOrFile = Annotated[
    str,
    PathParameter(
        pattern=r"^[1-9][0-9]{0,17}(\.pdf)?(?!\n)$", description="Id of the invoice, or `12.pdf`."
    ),
]
ThatMonth = Annotated[str, QueryParameter(pattern=MONTH)]
OfPerson = Annotated[int | None, QueryParameter(ge=1, le=BIGINT_MAX)]
OfStatus = Annotated[str | None, QueryParameter(schema_extra=names_of(InvoiceStatus))]
STAFF_PROBLEMS = (Unauthorized, Forbidden)
PRIVATE = {"Cache-Control": "private, no-store"}
# Render one PDF at a time: a long invoice takes a second of CPU time.
_pdf_limiter = CapacityLimiter(1)


class OwnInvoiceController(Controller):
    path = "/me/invoices"
    tags = ("Invoices",)
    guards = (signed_in,)
    dependencies = {"invoices": service(Invoices)}

    @get(summary="List your invoices", responses=problems(Unauthorized))
    async def list_mine(
        self,
        user: CurrentUser,
        invoices: NamedDependency[Invoices],
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[InvoiceRead]:
        """List your invoices, newest month first."""
        page = LimitOffset(limit, offset)
        found, total = await invoices.list_page(page, user_id=user.user_id)
        return Page([InvoiceRead.of(one) for one in found], total, limit, offset)


class InvoiceController(Controller):
    path = "/invoices"
    tags = ("Invoices",)
    guards = (signed_in,)
    dependencies = {"invoices": service(Invoices)}

    @get(summary="List invoices", guards=[admins_only], responses=problems(*STAFF_PROBLEMS))
    async def list_invoices(
        self,
        invoices: NamedDependency[Invoices],
        user_id: OfPerson = None,
        status: OfStatus = None,
        month: Month = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[InvoiceRead]:
        """List all invoices, newest month first."""
        found, total = await invoices.list_page(
            LimitOffset(limit, offset),
            user_id=user_id,
            status=one_of(InvoiceStatus, "status", status),
            month=month,
        )
        return Page([InvoiceRead.of(one) for one in found], total, limit, offset)

    @get(
        "/export",
        summary="Export a month's invoices",
        guards=[admins_only],
        media_type="text/csv",
        responses=problems(*STAFF_PROBLEMS),
    )
    async def export_month(self, month: ThatMonth) -> Stream:
        """Download a month's invoices as CSV (RFC 4180), amounts in minor units."""
        headers = {"Content-Disposition": f'attachment; filename="invoices-{month}.csv"'}
        return Stream(month_csv(first_day(month)), media_type="text/csv", headers=headers | PRIVATE)

    @post(
        summary="Open an invoice",
        guards=[admins_only],
        responses=problems(*STAFF_PROBLEMS, UserNotFound, InvoiceInOtherCurrency, KeyReused),
    )
    async def add_invoice(
        self,
        user: CurrentUser,
        invoices: NamedDependency[Invoices],
        data: JSONBody[InvoiceCreate],
        key: Key = "",
    ) -> InvoiceRead:
        """Create a member's invoice of a month, or return the existing one."""

        async def add() -> InvoiceRead:
            return InvoiceRead.of(await invoices.add(data))

        return await run_once(invoices.session, user.user_id, key, data, add)

    @get(
        "/{invoice:str}",
        summary="Show an invoice",
        responses=problems(Unauthorized, InvoiceNotFound),
    )
    async def show_invoice(
        self,
        user: CurrentUser,
        invoices: NamedDependency[Invoices],
        invoice: FromPath[NumberOrFile],
    ) -> Response[InvoiceWithLines | bytes]:
        """Show an invoice with its lines, or download it (`12.pdf`); members only their own."""
        number, _, is_file = invoice.partition(".")
        if is_file:
            return await rendered_pdf(int(number), owner_of(user))
        found, lines = await invoices.invoice(int(number), owner_of(user))
        return Response(
            InvoiceWithLines(InvoiceRead.of(found), [shown(line) for line in lines]),
            headers=PRIVATE,
        )

    @patch(
        "/{invoice:str}",
        summary="Change an invoice's status",
        guards=[admins_only],
        responses=problems(*STAFF_PROBLEMS, InvoiceNotFound, InvoiceClosed),
    )
    async def change_invoice(
        self,
        invoices: NamedDependency[Invoices],
        invoice: FromPath[Id],
        data: JSONBody[InvoiceUpdate],
    ) -> InvoiceRead:
        """Mark an outstanding invoice as paid, or void an invoice."""
        change = invoices.pay if data.status == "paid" else invoices.void
        return InvoiceRead.of(await change(invoice))

    @delete(
        "/{invoice:str}",
        summary="Delete an invoice",
        guards=[admins_only],
        responses=problems(*STAFF_PROBLEMS, InvoiceNotFound, InvoiceNotDeletable),
    )
    async def delete_invoice(
        self, invoices: NamedDependency[Invoices], invoice: FromPath[Id]
    ) -> None:
        """Delete the newest invoice of a year, if it has no automatic charges.

        Others leave a gap in the numbers, or a stream uncharged: void them instead.
        """
        await invoices.remove(invoice)

    @get(
        "/{invoice_id:int}/pdf",
        summary="Download an invoice",
        media_type="application/pdf",
        responses=problems(Unauthorized, InvoiceNotFound),
    )
    async def print_pdf(self, user: CurrentUser, invoice_id: FromPath[Id]) -> Response[bytes]:
        """Download an invoice as PDF; members only their own."""
        return await rendered_pdf(invoice_id, owner_of(user))

    @post(
        "/{invoice_id:int}/pay",
        summary="Mark an invoice as paid",
        guards=[admins_only],
        status_code=HTTP_200_OK,
        responses=problems(*STAFF_PROBLEMS, InvoiceNotFound, InvoiceClosed),
    )
    async def pay_invoice(
        self, invoices: NamedDependency[Invoices], invoice_id: FromPath[Id]
    ) -> InvoiceRead:
        """Mark an invoice as paid; its lines cannot be changed afterwards."""
        return InvoiceRead.of(await invoices.pay(invoice_id))

    @post(
        "/{invoice_id:int}/void",
        summary="Void an invoice",
        guards=[admins_only],
        status_code=HTTP_200_OK,
        responses=problems(*STAFF_PROBLEMS, InvoiceNotFound, InvoiceClosed),
    )
    async def void_invoice(
        self, invoices: NamedDependency[Invoices], invoice_id: FromPath[Id]
    ) -> InvoiceRead:
        """Void an invoice; add corrections to a later one."""
        return InvoiceRead.of(await invoices.void(invoice_id))

    @post(
        "/{invoice_id:int}/lines",
        summary="Add a charge",
        guards=[admins_only],
        responses=problems(*STAFF_PROBLEMS, InvoiceNotFound, InvoiceClosed, KeyReused),
    )
    async def add_line(
        self,
        user: CurrentUser,
        invoices: NamedDependency[Invoices],
        invoice_id: FromPath[Id],
        data: JSONBody[InvoiceLineCreate],
        key: Key = "",
    ) -> InvoiceLineRead:
        """Add a line; the invoice's amount is updated."""

        async def add() -> InvoiceLineRead:
            return shown(await invoices.add_line(invoice_id, data))

        charge = Charge(invoice_id, data)
        return await run_once(invoices.session, user.user_id, key, charge, add)

    @patch(
        "/{invoice_id:int}/lines/{line_id:int}",
        summary="Change a line",
        guards=[admins_only],
        responses=problems(*STAFF_PROBLEMS, InvoiceNotFound, LineNotFound, InvoiceClosed),
    )
    async def change_line(
        self,
        invoices: NamedDependency[Invoices],
        invoice_id: FromPath[Id],
        line_id: FromPath[Id],
        data: JSONBody[InvoiceLineUpdate],
    ) -> InvoiceLineRead:
        """Update a line; the invoice's amount is updated."""
        return shown(await invoices.change_line(invoice_id, line_id, data))

    @delete(
        "/{invoice_id:int}/lines/{line_id:int}",
        summary="Delete a line",
        guards=[admins_only],
        responses=problems(
            *STAFF_PROBLEMS, InvoiceNotFound, LineNotFound, InvoiceClosed, ChargeNotDeletable
        ),
    )
    async def delete_line(
        self,
        invoices: NamedDependency[Invoices],
        invoice_id: FromPath[Id],
        line_id: FromPath[Id],
    ) -> None:
        """Delete a manual line; the invoice's amount is updated."""
        await invoices.remove_line(invoice_id, line_id)


def owner_of(reader: Identity) -> int | None:
    """The user whose invoices a reader can see; None for administrators, who see all."""
    return None if reader.may(Role.ADMIN) else reader.user_id


async def rendered_pdf(invoice_id: int, user_id: int | None) -> Response[Any]:
    """Render an invoice as PDF, after the database connection is back in the pool.

    Raises InvoiceNotFound.
    """
    async with transaction() as session:
        document = document_of(*await Invoices(session).invoice(invoice_id, user_id))
    headers = {"Content-Disposition": f'inline; filename="invoice-{document.number}.pdf"'}
    pdf = await to_thread.run_sync(_render, document, limiter=_pdf_limiter)
    return Response(pdf, media_type="application/pdf", headers=headers | PRIVATE)


def _render(document: InvoiceDocument) -> bytes:
    """Render in a thread, which loads the PDF library at the first invoice."""
    pdf: bytes = late("videoflix.billing.invoice_pdf:render_pdf")(document)
    return pdf


def document_of(invoice: Invoice, lines: Sequence[InvoiceLine]) -> InvoiceDocument:
    return InvoiceDocument(
        site=settings.site_name,
        number=invoice.number,
        month=f"{invoice.period:%B %Y}",
        owner=invoice.owner,
        status=invoice.status.value,
        total=format_amount(invoice.amount, invoice.currency),
        created_at=invoice.created_at,
        lines=[(line.description, format_amount(line.amount, invoice.currency)) for line in lines],
    )


def shown(line: InvoiceLine) -> InvoiceLineRead:
    return InvoiceLineRead(line.id, line.description, line.amount, line.created_at)
