"""Lines of invoices."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, QueryParameter
from msgspec import UNSET, UnsetType

from videoflix.billing.models import InvoiceLine
from videoflix.billing.problems import InvoiceNotFound, LineNotFound
from videoflix.billing.schemas import Amount, InvoiceLineCreate, InvoiceLineUpdate
from videoflix.billing.service import Invoices
from videoflix.billing.service.corrections import Corrections
from videoflix.compat.drf.errors import field_error
from videoflix.compat.drf.parsing import read
from videoflix.compat.streaming.access import provide_session, proxy_or_admin
from videoflix.compat.streaming.invoices import Number, Words, number, serialize_line
from videoflix.platform.http.params import service
from videoflix.platform.problems import NotFound

OfInvoice = Annotated[str | None, QueryParameter(name="invoice", max_length=30)]


class LineCreateForm(msgspec.Struct):
    invoice: Number
    amount: Amount = 0
    description: Words = ""


class LineUpdateForm(msgspec.Struct):
    invoice: Number | UnsetType = UNSET
    amount: Amount | UnsetType = UNSET
    description: Words | UnsetType = UNSET


class LineController(Controller):
    path = "/invoice/invoice_lines"
    guards = (proxy_or_admin,)
    dependencies = {"session": Provide(provide_session), "invoices": service(Invoices)}

    @get(opt={"canonical": "GET /api/v1/invoices/{invoice}"})
    async def list_lines(
        self, invoices: NamedDependency[Invoices], of_invoice: OfInvoice = None
    ) -> list[dict[str, Any]]:
        if of_invoice is None:
            return [serialize_line(line) for line in await invoices.lines_of()]
        try:
            wanted = number(of_invoice)
        except NotFound as error:
            raise field_error("invoice", "Enter a number.") from error
        return [serialize_line(line) for line in await invoices.lines_of([wanted])]

    @post(summary="Add a charge", opt={"canonical": "POST /api/v1/invoices/{invoice_id}/lines"})
    async def add_line(
        self, request: Request[Any, Any, Any], invoices: NamedDependency[Invoices]
    ) -> dict[str, Any]:
        new = await read(request, LineCreateForm)
        line = InvoiceLineCreate(new.description, new.amount)
        try:
            return serialize_line(await invoices.add_line(new.invoice, line))
        except InvoiceNotFound as error:
            text = f'Invalid pk "{new.invoice}" - object does not exist.'
            raise field_error("invoice", text) from error

    @get("/{line_id:str}", opt={"canonical": "GET /api/v1/invoices/{invoice}"})
    async def show_line(
        self, invoices: NamedDependency[Invoices], line_id: FromPath[str]
    ) -> dict[str, Any]:
        return serialize_line(await _line(invoices, line_id))

    @put(
        "/{line_id:str}",
        summary="Change a line",
        opt={"canonical": "PATCH /api/v1/invoices/{invoice_id}/lines/{line_id}"},
    )
    async def put_line(
        self,
        request: Request[Any, Any, Any],
        invoices: NamedDependency[Invoices],
        line_id: FromPath[str],
    ) -> dict[str, Any]:
        await read(request, LineCreateForm)
        return await _change(request, invoices, line_id)

    @patch(
        "/{line_id:str}",
        summary="Change a line",
        opt={"canonical": "PATCH /api/v1/invoices/{invoice_id}/lines/{line_id}"},
    )
    async def change_line(
        self,
        request: Request[Any, Any, Any],
        invoices: NamedDependency[Invoices],
        line_id: FromPath[str],
    ) -> dict[str, Any]:
        return await _change(request, invoices, line_id)

    @delete(
        "/{line_id:str}",
        summary="Delete a line",
        opt={"canonical": "DELETE /api/v1/invoices/{invoice_id}/lines/{line_id}"},
    )
    async def delete_line(
        self, invoices: NamedDependency[Invoices], line_id: FromPath[str]
    ) -> None:
        line = await _line(invoices, line_id)
        await invoices.remove_line(line.invoice_id, line.id)


async def _change(
    request: Request[Any, Any, Any], invoices: Invoices, line_id: str
) -> dict[str, Any]:
    line = await _line(invoices, line_id)
    change = await read(request, LineUpdateForm)
    if change.invoice not in (UNSET, line.invoice_id):
        try:
            await Corrections(invoices.session).move_line(line, change.invoice)
        except InvoiceNotFound as error:
            text = f'Invalid pk "{change.invoice}" - object does not exist.'
            raise field_error("invoice", text) from error
    described = InvoiceLineUpdate(description=change.description, amount=change.amount)
    return serialize_line(await invoices.change_line(line.invoice_id, line.id, described))


async def _line(invoices: Invoices, line_id: str) -> InvoiceLine:
    try:
        return await invoices.line(number(line_id))
    except LineNotFound as error:
        raise NotFound from error
