// Invoices and their lines.

import * as api from "../api.js";
import { button, el, exactly, facts, link, money, pill } from "./dom.js";
import { ask, sure } from "./form.js";
import { whom, withPerson } from "./memberships.js";
import { personLink } from "./users.js";
import { openTable } from "./table.js";

const MOODS = { outstanding: "busy", paid: "good", void: "" };
const thisMonth = () => new Date().toISOString().slice(0, 7);

const add = () => ask({
  title: "Add invoice",
  hint: "Each member has one invoice per month. If it already exists, nothing changes.",
  button: "Add",
  fields: [
    whom,
    { name: "month", label: "Month", type: "month", required: true, value: thisMonth() },
    { name: "currency", label: "Currency", required: true, value: "EUR", pattern: "[A-Z]{3}", maxLength: 3 },
  ],
  send: async (body) => api.ask("POST", "/invoices", await withPerson(body)),
});

export function openInvoices(view, context) {
  openTable(view, {
    title: "Invoices",
    path: "/invoices",
    empty: "No invoices found.",
    filters: [
      { name: "status", label: "Status", options: Object.keys(MOODS).map((status) => [status, status]) },
      { name: "month", label: "Month", type: "month" },
      { name: "user_id", label: "User ID", type: "number" },
    ],
    columns: [
      { label: "Number", cell: (one) => link(`/admin/invoices/${one.id}`, one.number) },
      { label: "Member", cell: (one) => (one.user_id ? personLink(one.user_id, one.owner) : one.owner) },
      { label: "Month", cell: (one) => one.month },
      { label: "Amount", right: true, cell: (one) => money(one.amount, one.currency) },
      { label: "Status", cell: (one) => pill(one.status, MOODS[one.status]) },
    ],
    actions: (one) => [el("a", { className: "button quiet small", href: `/api/v1/invoices/${one.id}.pdf`, target: "_blank" }, "PDF")],
    add: { label: "Add invoice", open: add },
  }, context);
}

const lineFields = (invoice, line = {}) => [
  { name: "description", label: "Description", required: true, maxLength: 255, value: line.description, wide: true },
  { name: "amount", label: `Amount (${invoice.currency})`, type: "money", currency: invoice.currency, min: 0, required: true, value: line.amount },
];

export async function openInvoice(view, context, number) {
  const { invoice, lines } = await api.ask("GET", `/invoices/${number}`);
  const isOpen = invoice.status === "outstanding";
  view.append(
    el("p", { className: "crumbs" }, link("/admin/invoices", "Invoices")),
    el("div", { className: "headline" },
      el("h1", {}, invoice.number, " ", pill(invoice.status, MOODS[invoice.status])),
      el("span", { className: "row inline" }, invoiceActions(invoice, context))),
    facts([
      ["Member", invoice.user_id ? personLink(invoice.user_id, invoice.owner) : invoice.owner], ["Month", invoice.month],
      ["Amount", money(invoice.amount, invoice.currency)], ["Created", exactly(invoice.created_at)],
      ["Paid", invoice.paid_at ? exactly(invoice.paid_at) : null], ["Voided", invoice.voided_at ? exactly(invoice.voided_at) : null],
    ]),
    el("div", { className: "headline" }, el("h2", {}, "Lines"), isOpen ? addLine(invoice, context) : ""),
    el("div", { className: "scroll" }, el("table", { className: "cards" },
      el("thead", {}, el("tr", {}, ["Description", "Date", "Amount", ""].map((label) => el("th", { scope: "col" }, label)))),
      el("tbody", {}, lines.length ? lines.map((line) => lineRow(invoice, line, isOpen, context)) : el("tr", {}, el("td", { className: "nothing", colSpan: 4 }, "No charges yet."))))),
  );
}

function invoiceActions(invoice, context) {
  const path = `/invoices/${invoice.id}`;
  const change = (step) => context.guarded(async () => {
    await api.ask("POST", `${path}/${step}`);
    await context.reload();
  });
  const made = [el("a", { className: "button quiet small", href: `/api/v1${path}.pdf`, target: "_blank" }, "PDF")];
  if (invoice.status === "outstanding") {
    made.push(button("Mark as paid", async () => {
      if (await sure("Mark as paid?", `Invoice ${invoice.number} can't be changed afterwards.`, "Mark as paid")) await change("pay");
    }));
  }
  if (invoice.status !== "void") {
    made.push(button("Void", async () => {
      if (await sure("Void this invoice?", "It stays in the list as void. Add corrections to a later invoice.", "Void")) await change("void");
    }));
  }
  if (invoice.status === "outstanding") {
    made.push(button("Delete", async () => {
      if (!await sure("Delete this invoice?", "Only the year's latest invoice can be deleted, and only if it has no automatic charges.", "Delete")) return;
      await context.guarded(async () => {
        await api.ask("DELETE", path);
        context.go("/admin/invoices");
      });
    }));
  }
  return made;
}

const addLine = (invoice, context) => button("Add a charge", async () => {
  const sent = await ask({
    title: "Add a charge", button: "Add", fields: lineFields(invoice),
    send: (body) => api.ask("POST", `/invoices/${invoice.id}/lines`, body),
  });
  if (sent) await context.reload();
}, "accent");

function lineRow(invoice, line, isOpen, context) {
  const path = `/invoices/${invoice.id}/lines/${line.id}`;
  const edit = () => button("Edit", async () => {
    const sent = await ask({
      title: "Edit charge", changes: true, fields: lineFields(invoice, line),
      send: (body) => api.ask("PATCH", path, body),
    });
    if (sent) await context.reload();
  });
  const remove = () => button("Delete", async () => {
    if (!await sure("Delete this charge?", `“${line.description}” will no longer be charged.`, "Delete")) return;
    await context.guarded(() => api.ask("DELETE", path));
    await context.reload();
  });
  return el("tr", {},
    el("td", { data: { label: "Description" } }, line.description),
    el("td", { data: { label: "Date" } }, exactly(line.created_at)),
    el("td", { data: { label: "Amount" } }, money(line.amount, invoice.currency)),
    el("td", { className: "actions" }, isOpen ? [edit(), remove()] : ""));
}
