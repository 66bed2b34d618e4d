// A table with search, filters and pages; on phones, each row becomes a card.

import * as api from "../api.js";
import { el } from "./dom.js";

const PAGE = 20;

/**
 * `list` is {title, hint, path, search, filters, columns, actions, add, empty, fixed, prepare,
 * inner}.
 * The query is kept in the page's URL, so that reload and back keep it.
 */
export function openTable(view, list, context) {
  const query = new URLSearchParams(location.search);
  const body = el("tbody");
  const count = el("span", { className: "count" });
  const pager = el("nav", { className: "pager" });
  pager.setAttribute("aria-label", "Pages");
  const table = el("table", { className: "cards" }, head(list), body);
  let latest = 0;
  const refresh = () => context.guarded(async () => {
    const current = ++latest;
    const page = await load(list, query);
    if (current !== latest) return; // a newer request has finished
    const offset = Number(query.get("offset") ?? 0);
    count.textContent = counted(page);
    body.replaceChildren(...rowsOf(list, page.items, refresh, context));
    pager.replaceChildren(...pages(page, offset, go));
    table.setAttribute("aria-busy", "false");
  });
  const go = (name, value) => {
    if (value) query.set(name, value);
    else query.delete(name);
    if (name !== "offset") query.delete("offset");
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
    return refresh();
  };
  table.setAttribute("aria-busy", "true");
  view.append(
    el("div", { className: "headline" }, el(list.inner ? "h2" : "h1", {}, list.title, " ", count), adder(list, refresh, context)),
    list.hint ? el("p", { className: "hint" }, list.hint) : "",
    tools(list, query, go),
    el("div", { className: "scroll" }, table),
    pager,
  );
  refresh();
  return refresh;
}

async function load(list, query) {
  const wanted = new URLSearchParams({ limit: PAGE, offset: query.get("offset") ?? 0, ...list.fixed });
  for (const name of [...(list.search ? ["search"] : []), ...(list.filters ?? []).map((one) => one.name)]) {
    if (query.get(name)) wanted.set(name, query.get(name));
  }
  const page = await api.ask("GET", `${list.path}?${wanted}`);
  const whole = Array.isArray(page) ? { items: page, total: page.length, limit: page.length } : page;
  await list.prepare?.(whole.items);
  return whole;
}

const counted = ({ total, total_is_minimum: more }) => `${total.toLocaleString("en")}${more ? "+" : ""}`;

function head(list) {
  const cells = list.columns.map(({ label, right }) => el("th", { scope: "col", className: right ? "right" : "" }, label));
  if (list.actions) cells.push(el("th", { scope: "col" }, el("span", { className: "sr" }, "Actions")));
  return el("thead", {}, el("tr", {}, cells));
}

function rowsOf(list, items, refresh, context) {
  if (!items.length) {
    const width = list.columns.length + (list.actions ? 1 : 0);
    return [el("tr", {}, el("td", { className: "nothing", colSpan: width }, list.empty ?? "No entries."))];
  }
  return items.map((item) => {
    const cells = list.columns.map(({ label, cell, right }) =>
      el("td", { data: { label }, className: right ? "right" : "" }, cell(item) ?? ""));
    if (list.actions) cells.push(el("td", { className: "actions" }, list.actions(item, refresh, context)));
    return el("tr", {}, cells);
  });
}

function tools(list, query, go) {
  const parts = [];
  if (list.search) {
    const input = el("input", { type: "search", placeholder: list.search, value: query.get("search") ?? "" });
    input.setAttribute("aria-label", list.search);
    let typing = 0;
    input.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => go("search", input.value.trim()), 250);
    });
    parts.push(input);
  }
  for (const { name, label, options, type = "select" } of list.filters ?? []) {
    const value = query.get(name) ?? "";
    const input = type === "select"
      ? el("select", {}, [["", `${label}: all`], ...options].map(([one, text]) => el("option", { value: one, selected: one === value }, text)))
      : el("input", { type, value, placeholder: label });
    input.setAttribute("aria-label", label);
    input.addEventListener("change", () => go(name, input.value));
    parts.push(input);
  }
  return parts.length ? el("div", { className: "tools" }, parts) : "";
}

function adder(list, refresh, context) {
  if (!list.add) return "";
  const made = el("button", { type: "button", className: "button accent small" }, list.add.label);
  made.addEventListener("click", async () => {
    if (await list.add.open(context)) refresh();
  });
  return made;
}

function pages({ total, limit, items, total_is_minimum: more }, offset, go) {
  if (offset === 0 && total <= items.length && !more) return [];
  const step = (text, to, off) => el("button", {
    type: "button", className: "button quiet small", disabled: off, onclick: () => go("offset", to > 0 ? String(to) : ""),
  }, text);
  const last = offset + items.length;
  return [
    step("← Previous", offset - limit, offset === 0),
    el("span", {}, items.length ? `${offset + 1}–${last} of ${total.toLocaleString("en")}${more ? "+" : ""}` : "No more entries"),
    step("Next →", offset + limit, items.length < limit || (last >= total && !more)),
  ];
}
