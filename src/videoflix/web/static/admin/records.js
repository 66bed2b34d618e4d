// Read-only sections: the audit log, and the settings in effect.

import * as api from "../api.js";
import { el, exactly, pill } from "./dom.js";
import { learn, personLink } from "./users.js";
import { openTable } from "./table.js";

const KINDS = [
  "staff-change", "created", "role-changed", "deactivated", "activated", "library-read", "job-run-now",
  "job-retried", "job-cancelled", "signed-in", "sign-in-refused", "signed-out", "signed-out-everywhere",
  "refresh-token-replayed", "registered", "address-confirmed", "guest-signed-in", "password-reset-asked",
  "password-reset", "password-changed", "email-change-asked", "email-changed", "api-token-made",
  "api-token-revoked", "data-exported", "account-closed",
];
const ALARMING = new Set(["sign-in-refused", "refresh-token-replayed", "deactivated", "account-closed"]);

export function openAudit(view, context) {
  openTable(view, {
    title: "Audit",
    hint: "Changes by staff and security events of accounts, kept for a year. Entries can't be edited.",
    path: "/audit",
    filters: [
      { name: "kind", label: "Event", options: KINDS.map((kind) => [kind, kind]) },
      { name: "user_id", label: "User ID", type: "number" },
    ],
    prepare: (events) => learn(events.flatMap((event) => [event.user_id, event.actor_id])),
    columns: [
      { label: "When", cell: (event) => exactly(event.at) },
      { label: "Event", cell: (event) => pill(event.kind, ALARMING.has(event.kind) ? "bad" : "") },
      { label: "By", cell: (event) => personLink(event.actor_id) || "–" },
      { label: "User", cell: (event) => personLink(event.user_id) || "–" },
      { label: "Details", cell: (event) => el("span", { className: "long" }, event.detail || "–") },
      { label: "IP address", cell: (event) => el("span", { className: "soft", title: event.device }, event.address || "–") },
    ],
  }, context);
}

export async function openSettings(view) {
  const settings = await api.ask("GET", "/operations/settings");
  const row = (one) => el("tr", {},
    el("td", { data: { label: "Variable" } }, el("code", {}, one.name)),
    el("td", { data: { label: "Value" } }, el("span", { className: "long" }, one.value || "–")),
    el("td", { data: { label: "Source" } }, one.is_default ? pill("default") : pill("environment", "busy"), one.is_secret ? pill("masked", "busy") : ""));
  view.append(
    el("h1", {}, "Settings"),
    el("p", { className: "hint" }, "The settings this process read at start. To change one, set the variable and restart."),
    el("div", { className: "scroll" }, el("table", { className: "cards" },
      el("thead", {}, el("tr", {}, ["Variable", "Value", "Source"].map((label) => el("th", { scope: "col" }, label)))),
      el("tbody", {}, settings.map(row)))),
  );
}
