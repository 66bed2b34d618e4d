// Users: accounts, roles, and for owners their watchlists and history.

import * as api from "../api.js";
import { clock } from "../format.js";
import { button, el, exactly, facts, link, pill, when } from "./dom.js";
import { ask, sure } from "./form.js";
import { openTable } from "./table.js";

export const ROLES = ["viewer", "editor", "admin", "owner"];
const MOODS = { owner: "busy", admin: "busy", editor: "good", viewer: "" };

/** Cache of e-mail addresses by user id; deleted users have none. */
const names = new Map();

export async function learn(ids) {
  const unknown = [...new Set(ids)].filter((id) => id && !names.has(id));
  if (!unknown.length) return;
  const query = new URLSearchParams([["limit", 100], ...unknown.map((id) => ["ids", id])]);
  const { items } = await api.ask("GET", `/users?${query}`);
  for (const id of unknown) names.set(id, null);
  for (const person of items) names.set(person.id, person.email);
}

export const personLink = (number, name) =>
  number ? link(`/admin/users/${number}`, name ?? names.get(number) ?? `no. ${number}`) : "";

function stateOf(person) {
  if (!person.is_active) return pill("deactivated", "bad");
  return person.confirmed_at ? pill("active", "good") : pill("unconfirmed", "busy");
}

const languages = [["en", "English"], ["de", "German"]];
const named = (person = {}) => [
  { name: "first_name", label: "First name", value: person.first_name, maxLength: 100 },
  { name: "last_name", label: "Last name", value: person.last_name, maxLength: 100 },
];
const rolesFor = (me) => ROLES.filter((role) => role !== "owner" || me.role === "owner").map((role) => [role, role]);

const add = (context) => ask({
  title: "Add user",
  hint: "Leave the password empty to invite the user by e-mail to choose one.",
  button: "Add",
  fields: [
    { name: "email", label: "E-mail", type: "email", required: true, wide: true },
    ...named(),
    { name: "role", label: "Role", type: "select", value: "viewer", options: rolesFor(context.me) },
    { name: "language", label: "Language", type: "select", value: "en", options: languages },
    { name: "password", label: "Password", type: "password", omit: true, wide: true },
  ],
  send: (body) => api.ask("POST", "/users", body),
});

const edit = (person, context) => ask({
  title: `Edit ${person.email}`,
  hint: "Changing the role signs the user out.",
  changes: true,
  fields: [
    ...named(person),
    { name: "role", label: "Role", type: "select", value: person.role, options: rolesFor(context.me) },
    { name: "language", label: "Language", type: "select", value: person.language, options: languages },
    { name: "phone", label: "Phone", value: person.phone, maxLength: 30 },
    { name: "address", label: "Address", type: "textarea", value: person.address, maxLength: 300, wide: true },
  ],
  send: (body) => api.ask("PATCH", `/users/${person.id}`, body),
});

function actions(person, refresh, context) {
  if (person.role === "owner" && context.me.role !== "owner") return [];
  const change = async (path) => {
    await context.guarded(() => api.ask("POST", `/users/${person.id}/${path}`));
    refresh();
  };
  const off = button("Deactivate", async () => {
    if (await sure("Deactivate this account?", `${person.email} will be signed out on all devices immediately.`, "Deactivate")) await change("deactivate");
  });
  const isOn = person.is_active && person.confirmed_at;
  const mailLink = button("Mail password link", async () => {
    const text = `${person.email} will receive a link to choose a new password. The present one stays until then.`;
    if (await sure("Mail a password link?", text, "Mail link")) await change("password-link");
  });
  return [
    button("Edit", async () => { if (await edit(person, context)) refresh(); }),
    ...(isOn ? [mailLink] : []),
    isOn ? off : button("Activate", () => change("activate")),
  ];
}

export function openPeople(view, context) {
  openTable(view, {
    title: "Users",
    path: "/users",
    search: "Search e-mail address or name",
    filters: [{ name: "role", label: "Role", options: ROLES.map((role) => [role, role]) }],
    columns: [
      { label: "E-mail address", cell: (person) => link(`/admin/users/${person.id}`, person.email) },
      { label: "Name", cell: (person) => person.name || "–" },
      { label: "Role", cell: (person) => pill(person.role, MOODS[person.role]) },
      { label: "State", cell: stateOf },
      { label: "Created", cell: (person) => when(person.created_at) },
    ],
    actions,
    add: { label: "Add user", open: add },
  }, context);
}

export async function openPerson(view, context, number) {
  const person = await api.ask("GET", `/users/${number}`);
  view.append(
    el("p", { className: "crumbs" }, link("/admin/users", "Users")),
    el("div", { className: "headline" }, el("h1", {}, person.email), el("span", { className: "row inline" }, actions(person, context.reload, context))),
    facts([
      ["Name", person.name], ["Role", pill(person.role, MOODS[person.role])], ["State", stateOf(person)],
      ["Phone", person.phone], ["Address", person.address], ["Language", person.language],
      ["Created", exactly(person.created_at)], ["Confirmed", person.confirmed_at ? exactly(person.confirmed_at) : null],
    ]),
    el("p", { className: "ways start" },
      link(`/admin/memberships?user_id=${number}`, "Membership"), link(`/admin/invoices?user_id=${number}`, "Invoices"),
      link(`/admin/audit?user_id=${number}`, "Audit"), link(`/admin/votes?user_id=${number}`, "Votes")),
    await library(number, context),
  );
}

/** Loads the library only on request: reading it is logged, and the user is notified. */
async function library(number, context) {
  const place = el("section", {}, el("h2", {}, "Watchlists and history"));
  if (context.me.role !== "owner") {
    place.append(el("p", { className: "hint" }, "Watchlists and history are private; only owners can read them."));
    return place;
  }
  const read = button("Show watchlists and history", () => context.guarded(async () => {
    const profiles = await api.ask("GET", `/users/${number}/library`);
    place.replaceChildren(el("h2", {}, "Watchlists and history"), ...profiles.map(profileOf));
    if (!profiles.length) place.append(el("p", { className: "hint" }, "No watchlist or history yet."));
  }));
  place.append(el("p", { className: "hint" }, "This is logged, and the user can see that you viewed it."), read);
  return place;
}

function profileOf({ profile, watchlist, history }) {
  const line = (video, more) => el("li", {}, link(`/#/watch/${video.id}`, video.title), el("span", { className: "soft" }, more));
  return el("article", { className: "panel" },
    el("h3", {}, profile.name),
    el("h4", {}, `Watchlist (${watchlist.length})`),
    el("ul", { className: "lines" }, watchlist.map(({ video, added_at: at }) => line(video, when(at)))),
    el("h4", {}, `History (${history.length})`),
    el("ul", { className: "lines" }, history.map(({ video, progress }) =>
      line(video, progress.finished ? "finished" : `until ${clock(progress.seconds)}`))));
}
