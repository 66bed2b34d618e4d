"""Invoices: one per user and month."""

from datetime import date, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from msgspec import UNSET, UnsetType

from videoflix.billing.models import Invoice, InvoiceLine, InvoiceStatus
from videoflix.billing.problems import InvoiceNotFound
from videoflix.billing.schemas import Amount, InvoiceCreate, InvoiceLineCreate
from videoflix.billing.service import Invoices
from videoflix.billing.service.corrections import Corrections
from videoflix.compat.dialect import NONE
from videoflix.compat.drf.errors import DrfError, field_error
from videoflix.compat.drf.parsing import read
from videoflix.compat.streaming.access import provide_session, proxy_or_admin
from videoflix.memberships.service import UserNotFound
from videoflix.platform.http.params import BIGINT_MAX, service
from videoflix.platform.http.urls import absolute
from videoflix.platform.problems import NotFound
from videoflix.settings import settings

# The older wire has no pagination.
LIST_MAX = 10_000
Day = date
Number = Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]
Words = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00\r\n]*$")]


class Status(StrEnum):
    OUTSTANDING = "OUT"
    PAID = "PAID"
    VOID = "VOID"


STATUSES = {
    InvoiceStatus.OUTSTANDING: Status.OUTSTANDING,
    InvoiceStatus.PAID: Status.PAID,
    InvoiceStatus.VOID: Status.VOID,
}


class InvoiceCreateForm(msgspec.Struct):
    """`amount` becomes a line with this description, as amounts are sums of lines."""

    user: Number
    status: Status
    date: Day | None = None
    description: Words | UnsetType = UNSET
    amount: Amount = 0


class InvoiceForm(msgspec.Struct):
    user: Number
    status: Status


class InvoiceUpdateForm(msgspec.Struct):
    user: Number | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    date: Day | UnsetType = UNSET
    description: Words | UnsetType = UNSET
    amount: Amount | UnsetType = UNSET


class RootController(Controller):
    path = "/invoice"
    guards = (proxy_or_admin,)

    @get(opt={"canonical": NONE})
    async def list_routes(self) -> dict[str, str | None]:
        names = ("invoice_lines", "invoices")
        return {name: absolute(f"/invoice/{name}/") for name in names}


class InvoiceController(Controller):
    path = "/invoice/invoices"
    guards = (proxy_or_admin,)
    dependencies = {"session": Provide(provide_session), "invoices": service(Invoices)}

    @get(opt={"canonical": "GET /api/v1/invoices"})
    async def list_invoices(self, invoices: NamedDependency[Invoices]) -> list[dict[str, Any]]:
        listed, _ = await invoices.list_page(LimitOffset(LIST_MAX, 0), user_id=None)
        found = [invoice for invoice in listed if not invoice.is_withdrawn]
        lines: dict[int, list[int]] = {}
        for line in await invoices.lines_of([invoice.id for invoice in found]):
            lines.setdefault(line.invoice_id, []).append(line.id)
        return [_serialize(invoice, lines.get(invoice.id, [])) for invoice in found]

    @post(summary="Open an invoice", opt={"canonical": "POST /api/v1/invoices"})
    async def add_invoice(
        self, request: Request[Any, Any, Any], invoices: NamedDependency[Invoices]
    ) -> dict[str, Any]:
        """Get or create the invoice of the month of `date`."""
        new = await read(request, InvoiceCreateForm)
        day = new.date or datetime.now(settings.time_zone).date()
        try:
            invoice = await invoices.add(InvoiceCreate(new.user, f"{day:%Y-%m}"))
        except UserNotFound as error:
            text = f'Invalid pk "{new.user}" - object does not exist.'
            raise field_error("user", text) from error
        is_new = invoice.description is None and not await invoices.lines_of([invoice.id])
        invoice.issued_on = day
        if new.description is not UNSET:
            invoice.description = new.description
        elif is_new:
            invoice.description = ""
        if new.amount:
            words = (invoice.description or "").strip() or title_of(invoice)
            await invoices.add_line(invoice.id, InvoiceLineCreate(words, new.amount))
        await _set_status(invoices, invoice, new.status)
        return await _read(invoices, invoice.id)

    @get("/{invoice_id:str}", opt={"canonical": "GET /api/v1/invoices/{invoice}"})
    async def show_invoice(
        self, invoices: NamedDependency[Invoices], invoice_id: FromPath[str]
    ) -> dict[str, Any]:
        try:
            invoice = await _owned(invoices, number(invoice_id))
        except NotFound as error:
            raise DrfError("Invoice does not exist", HTTPStatus.NOT_FOUND) from error
        lines = await invoices.lines_of([invoice.id])
        return _serialize(invoice, [serialize_line(line) for line in lines])

    @put(
        "/{invoice_id:str}",
        summary="Change an invoice",
        opt={"canonical": "PATCH /api/v1/invoices/{invoice}"},
    )
    async def put_invoice(
        self,
        request: Request[Any, Any, Any],
        invoices: NamedDependency[Invoices],
        invoice_id: FromPath[str],
    ) -> dict[str, Any]:
        await read(request, InvoiceForm)
        return await _change(request, invoices, number(invoice_id))

    @patch(
        "/{invoice_id:str}",
        summary="Change an invoice",
        opt={"canonical": "PATCH /api/v1/invoices/{invoice}"},
    )
    async def change_invoice(
        self,
        request: Request[Any, Any, Any],
        invoices: NamedDependency[Invoices],
        invoice_id: FromPath[str],
    ) -> dict[str, Any]:
        return await _change(request, invoices, number(invoice_id))

    @delete(
        "/{invoice_id:str}",
        summary="Delete an invoice",
        opt={"canonical": "DELETE /api/v1/invoices/{invoice}"},
    )
    async def delete_invoice(
        self, invoices: NamedDependency[Invoices], invoice_id: FromPath[str]
    ) -> None:
        invoice = await _owned(invoices, number(invoice_id))
        await Corrections(invoices.session).withdraw(invoice.id)


def number(written: str) -> int:
    """Parse an id. Raises NotFound if it is not a valid one."""
    if not (written.isascii() and written.isdigit() and 0 < int(written) <= BIGINT_MAX):
        raise NotFound
    return int(written)


def title_of(invoice: Invoice) -> str:
    return f"Invoice for month number {invoice.period.month}"


def serialize_line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "invoice": line.invoice_id,
        "amount": line.amount,
        "description": line.description,
    }


def _serialize(invoice: Invoice, lines: list[Any]) -> dict[str, Any]:
    made = invoice.created_at.astimezone(settings.time_zone).date()
    day = invoice.issued_on or (made if made.replace(day=1) == invoice.period else invoice.period)
    return {
        "id": invoice.id,
        "user": invoice.user_id,
        "date": day.isoformat(),
        "status": STATUSES[invoice.status],
        "description": title_of(invoice) if invoice.description is None else invoice.description,
        "amount": invoice.amount,
        "invoice_lines": lines,
    }


async def _change(
    request: Request[Any, Any, Any], invoices: Invoices, invoice_id: int
) -> dict[str, Any]:
    """Correct an open invoice; what is paid or void answers 409. The status comes last."""
    invoice = await _owned(invoices, invoice_id)
    change = await read(request, InvoiceUpdateForm)
    corrections = Corrections(invoices.session)
    if change.user not in (UNSET, invoice.user_id):
        try:
            await corrections.reassign(invoice_id, change.user)
        except UserNotFound as error:
            text = f'Invalid pk "{change.user}" - object does not exist.'
            raise field_error("user", text) from error
    if change.date is not UNSET and change.date.isoformat() != _serialize(invoice, [])["date"]:
        await corrections.redate(invoice_id, change.date)
    if change.description not in (UNSET, _serialize(invoice, [])["description"]):
        await corrections.describe(invoice_id, change.description)
    if change.amount not in (UNSET, invoice.amount):
        words = invoice.description or title_of(invoice)
        await corrections.set_amount(invoice_id, change.amount, words)
    if change.status is not UNSET:
        await _set_status(invoices, invoice, change.status)
    return await _read(invoices, invoice_id)


async def _owned(invoices: Invoices, invoice_id: int) -> Invoice:
    try:
        invoice, _ = await invoices.invoice(invoice_id, None)
    except InvoiceNotFound as error:
        raise NotFound from error
    if invoice.is_withdrawn:
        raise NotFound
    return invoice


async def _set_status(invoices: Invoices, invoice: Invoice, status: Status) -> None:
    """Change the status. Raises InvoiceClosed for transitions that are not allowed."""
    if STATUSES[invoice.status] is status:
        return
    if status is Status.VOID:
        await invoices.void(invoice.id)
    else:
        await invoices.pay(invoice.id)


async def _read(invoices: Invoices, invoice_id: int) -> dict[str, Any]:
    """Read an invoice with the amount computed by the database."""
    invoice, lines = await invoices.invoice(invoice_id, None)
    await invoices.session.refresh(invoice)
    return _serialize(invoice, [line.id for line in lines])
