// Webhooks: endpoints, and their deliveries.

import * as api from "../api.js";
import { button, el, exactly, link, pill, when } from "./dom.js";
import { ask, show, sure } from "./form.js";
import { openTable } from "./table.js";

const MOODS = { pending: "busy", delivered: "good", failed: "bad" };
const ENDPOINTS = "/webhooks/endpoints";

const fields = (endpoint = {}) => [
  { name: "url", label: "URL", required: true, maxLength: 2000, wide: true, value: endpoint.url, placeholder: "https://…" },
  { name: "events", label: "Events", type: "list", wide: true, value: endpoint.events ?? [], hint: "Separate with commas, such as video.ready, user.created. Leave empty to receive all." },
  { name: "description", label: "Description", maxLength: 200, wide: true, value: endpoint.description ?? "" },
];

const showSecret = (secret) => show("Signing secret",
  el("p", {}, "Shown only once: save it in the receiver, which verifies the signatures with it."), el("pre", {}, secret));

async function add() {
  let made = null;
  const sent = await ask({
    title: "Add endpoint", button: "Add", fields: fields(),
    send: async (body) => { made = await api.ask("POST", ENDPOINTS, body); },
  });
  if (sent) await showSecret(made.secret);
  return sent;
}

const edit = (endpoint) => ask({
  title: "Edit endpoint",
  changes: true,
  fields: [...fields(endpoint), { name: "is_enabled", label: "Enabled", type: "checkbox", value: endpoint.is_enabled }],
  send: (body) => api.ask("PATCH", `${ENDPOINTS}/${endpoint.id}`, body),
});

function state(endpoint) {
  if (!endpoint.is_enabled) return [pill("disabled", "bad"), endpoint.disabled_reason ? el("p", { className: "failed" }, endpoint.disabled_reason) : ""];
  if (endpoint.failing_since) return [pill("failing", "bad"), el("span", { className: "soft" }, " since ", exactly(endpoint.failing_since))];
  return pill("enabled", "good");
}

export function openWebhooks(view, context) {
  openTable(view, {
    title: "Webhooks",
    hint: "URLs of other systems that receive this site's events.",
    path: ENDPOINTS,
    empty: "No endpoints yet.",
    columns: [
      { label: "URL", cell: (one) => [link(`/admin/webhooks/${one.id}`, one.url), el("span", { className: "soft" }, one.description)] },
      { label: "Events", cell: (one) => el("span", { className: "long" }, one.events.join(", ") || "all") },
      { label: "State", cell: state },
    ],
    actions: (one, refresh) => [
      button("Edit", async () => { if (await edit(one)) await refresh(); }),
      button("Send test", () => context.guarded(async () => {
        await api.ask("POST", `${ENDPOINTS}/${one.id}/test`);
        await context.go(`/admin/webhooks/${one.id}`);
      })),
      button("Rotate secret", () => context.guarded(async () => {
        if (!await sure("Rotate the secret?", "For 24 hours, deliveries are signed with both secrets.", "Rotate")) return;
        await showSecret((await api.ask("POST", `${ENDPOINTS}/${one.id}/rotate-secret`)).secret);
      })),
      button("Delete", async () => {
        if (!await sure("Delete this endpoint?", `${one.url} will receive no more events. Pending deliveries are deleted.`, "Delete")) return;
        await context.guarded(() => api.ask("DELETE", `${ENDPOINTS}/${one.id}`));
        await refresh();
      }),
    ],
    add: { label: "Add endpoint", open: add },
  }, context);
}

const result = (one) => [
  one.response_status ? `status ${one.response_status}` : "", one.error ?? "",
  one.duration_ms === null ? "" : `${one.duration_ms} ms`,
].filter(Boolean).join(", ") || "–";

export async function openDeliveries(view, context, number) {
  const endpoint = await api.ask("GET", `${ENDPOINTS}/${number}`);
  const body = el("tbody");
  const labels = ["Event", "Object", "State", "Attempts", "Result", "Created", ""];
  const row = (one) => el("tr", {}, [
    one.is_replay ? `${one.type} (replay)` : one.type, one.subject, pill(one.state, MOODS[one.state]), String(one.attempts),
    el("span", { className: "long soft", title: one.response_excerpt ?? "" }, result(one)), when(one.created_at),
    button("Replay", () => context.guarded(async () => {
      await api.ask("POST", `/webhooks/deliveries/${one.id}/replay`);
      await context.reload();
    })),
  ].map((cell, index) => el("td", { data: { label: labels[index] } }, cell)));
  const more = button("Older deliveries", () => context.guarded(() => load()));
  let before = null;
  const load = async () => {
    const page = await api.ask("GET", `${ENDPOINTS}/${number}/deliveries?limit=50${before ? `&before=${before}` : ""}`);
    body.append(...page.items.map(row));
    before = page.next_before;
    more.hidden = before === null;
    if (!body.children.length) body.append(el("tr", {}, el("td", { className: "nothing", colSpan: labels.length }, "No deliveries yet.")));
  };
  view.append(
    el("div", { className: "headline" }, el("h1", {}, "Deliveries"), link("/admin/webhooks", "All endpoints")),
    el("div", { className: "hint" }, endpoint.url, " ", state(endpoint)),
    el("div", { className: "scroll" }, el("table", { className: "cards" },
      el("thead", {}, el("tr", {}, labels.map((label) => el("th", { scope: "col" }, label)))), body)),
    more,
  );
  await load();
}
