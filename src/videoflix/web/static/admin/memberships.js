// Plans and memberships.

import * as api from "../api.js";
import { button, el, exactly, money, pill } from "./dom.js";
import { ask, sure } from "./form.js";
import { personLink } from "./users.js";
import { openTable } from "./table.js";

const STANDINGS = { active: "good", future: "busy", expired: "", cancelled: "bad" };
const CURRENCIES = ["EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "CAD", "AUD", "JPY"];
const same = (values) => values.map((value) => [value, value]);

const BILLINGS = [["flat", "Flat rate"], ["per_stream", "Per stream"], ["per_hour", "Per hour"]];

const limits = (plan = {}) => [
  { name: "streams", label: "Concurrent streams", type: "number", min: 1, max: 1000, required: true, value: plan.streams ?? 1 },
  { name: "profiles", label: "Profiles", type: "number", min: 1, max: 5, required: true, value: plan.profiles ?? 5 },
  { name: "max_height", label: "Maximum resolution (height)", type: "number", min: 120, max: 4320, empty: null, value: plan.max_height, placeholder: "no limit" },
  { name: "is_offered", label: "Offered", type: "checkbox", value: plan.is_offered ?? true },
];

const addPlan = () => ask({
  title: "Add plan",
  hint: "Once there is a plan, people need a membership to watch.",
  button: "Add",
  fields: [
    { name: "name", label: "Name", required: true, maxLength: 100, wide: true },
    { name: "price", label: "Price", type: "money", currency: "EUR", required: true, min: 0, value: 0 },
    { name: "currency", label: "Currency", type: "select", options: same(CURRENCIES), value: "EUR" },
    { name: "period", label: "Period", type: "select", options: same(["month", "year"]), value: "month" },
    { name: "billing", label: "Billing", type: "select", options: BILLINGS, value: "flat" },
    ...limits(),
  ],
  // The price was converted with 100 minor units; the yen has none.
  send: (body) => api.ask("POST", "/plans", { ...body, price: body.currency === "JPY" ? Math.round(body.price / 100) : body.price }),
});

const editPlan = (plan) => ask({
  title: `Edit ${plan.name}`,
  hint: "Applies to members immediately; running streams continue, no larger than the plan allows.",
  changes: true,
  fields: [
    { name: "name", label: "Name", required: true, maxLength: 100, value: plan.name, wide: true },
    { name: "price", label: `Price (${plan.currency})`, type: "money", currency: plan.currency, required: true, min: 0, value: plan.price },
    ...limits(plan),
  ],
  send: (body) => api.ask("PATCH", `/plans/${plan.id}`, body),
});

export function openPlans(view, context) {
  openTable(view, {
    title: "Plans",
    hint: "Plans that have had members can't be deleted. Stop offering them instead.",
    path: "/plans",
    empty: "No plans yet. Everyone with an account can watch.",
    columns: [
      { label: "Name", cell: (plan) => plan.name },
      { label: "Price", right: true, cell: (plan) => money(plan.price, plan.currency) },
      { label: "Billing", cell: (plan) => (plan.billing === "flat" ? `per ${plan.period}` : plan.billing.replace("_", " ")) },
      { label: "Streams", right: true, cell: (plan) => plan.streams },
      { label: "Profiles", right: true, cell: (plan) => plan.profiles },
      { label: "Resolution", right: true, cell: (plan) => (plan.max_height ? `${plan.max_height}p` : "any") },
      { label: "Offered", cell: (plan) => (plan.is_offered ? pill("offered", "good") : pill("not offered")) },
    ],
    actions: (plan, refresh) => [
      button("Edit", async () => { if (await editPlan(plan)) await refresh(); }),
      button("Delete", () => remove(`/plans/${plan.id}`, "Delete this plan?", `“${plan.name}” will be deleted. Without any plan, people can watch without a membership.`, context, refresh)),
    ],
    add: { label: "Add plan", open: addPlan },
  }, context);
}

async function remove(path, title, text, context, refresh) {
  if (!await sure(title, text, "Delete")) return;
  await context.guarded(() => api.ask("DELETE", path));
  await refresh();
}

const planOptions = async () => (await api.ask("GET", "/plans")).map((plan) => [plan.id, `${plan.name}, ${money(plan.price, plan.currency)}`]);

const terms = (membership = {}) => [
  { name: "starts_at", label: "Starts", type: "moment", value: membership.starts_at, omit: true, hint: "Leave empty to start now" },
  { name: "ends_at", label: "Ends", type: "moment", value: membership.ends_at, empty: null, hint: "Leave empty for no end" },
  { name: "streams_override", label: "Concurrent streams", type: "number", min: 1, max: 1000, empty: null, value: membership.streams_override, placeholder: "same as the plan" },
];

async function person(address) {
  const { items } = await api.ask("GET", `/users?${new URLSearchParams({ search: address, limit: 2 })}`);
  const found = items.find(({ email }) => email.toLowerCase() === address.toLowerCase()) ?? (items.length === 1 ? items[0] : null);
  if (found) return found.id;
  const message = items.length ? "Several users match. Enter the full e-mail address." : "No user has this e-mail address.";
  throw new api.Refused({ detail: message, errors: [{ field: "user_id", message }] }, 404);
}

/** A field for a user's e-mail address, and the conversion to a user id. */
export const whom = { name: "user_id", label: "User's e-mail address", required: true, wide: true };
export const withPerson = async (body) => ({ ...body, user_id: await person(body.user_id) });

const addMembership = async () => {
  const plans = await planOptions();
  return ask({
    title: "Add membership",
    hint: plans.length ? "" : "Add a plan first.",
    button: "Add",
    fields: [whom, { name: "plan_id", label: "Plan", type: "select", number: true, required: true, options: plans, value: plans[0]?.[0], wide: true }, ...terms()],
    send: async (body) => api.ask("POST", "/memberships", await withPerson(body)),
  });
};

const editMembership = async (membership) => {
  const plans = await planOptions();
  return ask({
    title: `Edit the membership of ${membership.owner}`,
    changes: true,
    fields: [
      { name: "plan_id", label: "Plan", type: "select", number: true, options: plans, value: membership.plan.id, wide: true },
      ...terms(membership),
      { name: "cancelled", label: "Cancelled", type: "checkbox", value: Boolean(membership.cancelled_at) },
    ],
    send: (body) => api.ask("PATCH", `/memberships/${membership.id}`, body),
  });
};

function actions(membership, refresh, context) {
  const edit = button("Edit", () => context.guarded(async () => { if (await editMembership(membership)) await refresh(); }));
  const cancel = button("Cancel", async () => {
    if (!await sure("Cancel this membership?", `${membership.owner} can’t watch any more, and running streams stop.`, "Cancel membership")) return;
    await context.guarded(() => api.ask("POST", `/memberships/${membership.id}/cancel`));
    await refresh();
  });
  const text = `Deletes it as if ${membership.owner} never had it: periods not charged yet won't be. To end a membership, cancel it.`;
  const mistake = button("Delete", () => remove(`/memberships/${membership.id}`, "Delete this membership?", text, context, refresh));
  return membership.cancelled_at ? [edit, mistake] : [edit, cancel, mistake];
}

export function openMemberships(view, context) {
  openTable(view, {
    title: "Memberships",
    path: "/memberships",
    filters: [{ name: "user_id", label: "User ID", type: "number" }],
    columns: [
      { label: "User", cell: (one) => personLink(one.user_id, one.owner) },
      { label: "Plan", cell: (one) => one.plan.name },
      { label: "Status", cell: (one) => pill(one.standing, STANDINGS[one.standing]) },
      { label: "Starts", cell: (one) => exactly(one.starts_at) },
      { label: "Ends", cell: (one) => exactly(one.ends_at) },
      { label: "Streams", right: true, cell: (one) => el("span", {}, one.streams, one.streams_override ? " (override)" : "") },
    ],
    actions,
    add: { label: "Add membership", open: () => addMembership() },
  }, context);
}
