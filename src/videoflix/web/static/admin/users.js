// People: accounts, roles, and for owners what somebody watches.

import * as api from "../api.js";
import { clock } from "../format.js";
import { button, el, exactly, facts, link, pill, when } from "./dom.js";
import { ask, sure } from "./form.js";
import { openTable } from "./table.js";

export const ROLES = ["viewer", "editor", "admin", "owner"];
const MOODS = { owner: "busy", admin: "busy", editor: "good", viewer: "" };

/** Addresses by number, asked for once; people who are gone stay numbers. */
const names = new Map();

export async function learn(numbers) {
  const unknown = [...new Set(numbers)].filter((number) => number && !names.has(number));
  if (!unknown.length) return;
  const query = new URLSearchParams([["limit", 100], ...unknown.map((number) => ["ids", number])]);
  const { items } = await api.ask("GET", `/users?${query}`);
  for (const number of unknown) names.set(number, null);
  for (const person of items) names.set(person.id, person.email);
}

export const personLink = (number, name) =>
  number ? link(`/admin/users/${number}`, name ?? names.get(number) ?? `no. ${number}`) : "";

function stateOf(person) {
  if (!person.is_active) return pill("off", "bad");
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
  hint: "Without a password, a mail invites them to choose one.",
  button: "Enter",
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
  title: `Change ${person.email}`,
  hint: "Changing the role signs them out.",
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
    if (await sure("Deactivate this account?", `${person.email} is signed out everywhere at once.`, "Deactivate")) await change("deactivate");
  });
  const isOn = person.is_active && person.confirmed_at;
  return [
    button("Edit", async () => { if (await edit(person, context)) refresh(); }),
    isOn ? off : button("Activate", () => change("activate")),
  ];
}

export function openPeople(view, context) {
  openTable(view, {
    title: "Users",
    path: "/users",
    search: "Search address or name",
    filters: [{ name: "role", label: "Role", options: ROLES.map((role) => [role, role]) }],
    columns: [
      { label: "Address", cell: (person) => link(`/admin/users/${person.id}`, person.email) },
      { label: "Name", cell: (person) => person.name || "–" },
      { label: "Role", cell: (person) => pill(person.role, MOODS[person.role]) },
      { label: "State", cell: stateOf },
      { label: "Since", cell: (person) => when(person.created_at) },
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
      ["Since", exactly(person.created_at)], ["Confirmed", person.confirmed_at ? exactly(person.confirmed_at) : null],
    ]),
    el("p", { className: "ways start" },
      link(`/admin/memberships?user_id=${number}`, "Membership"), link(`/admin/invoices?user_id=${number}`, "Invoices"),
      link(`/admin/audit?user_id=${number}`, "Audit"), link(`/admin/votes?user_id=${number}`, "Votes")),
    await watched(number, context),
  );
}

/** Nothing is read before it is asked for: the reading itself is noted, and the person is told. */
async function watched(number, context) {
  const place = el("section", {}, el("h2", {}, "What they watch"));
  if (context.me.role !== "owner") {
    place.append(el("p", { className: "hint" }, "Watchlists and history are private; only owners may read them."));
    return place;
  }
  const read = button("Read watchlists and history", () => context.guarded(async () => {
    const profiles = await api.ask("GET", `/users/${number}/library`);
    place.replaceChildren(el("h2", {}, "What they watch"), ...profiles.map(profileOf));
    if (!profiles.length) place.append(el("p", { className: "hint" }, "Nothing was ever remembered."));
  }));
  place.append(el("p", { className: "hint" }, "This is logged, and the person can see that you viewed it."), read);
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
