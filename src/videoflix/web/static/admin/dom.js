// Helpers for building sections. Text is only ever set as text, never as HTML (XSS).

import { ago } from "../format.js";

const DAY = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };

/** Creates an element: `on…` properties are listeners, `data` becomes data attributes. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export const link = (href, text) => el("a", { href }, text);

/** A button, disabled while its action runs. */
export function button(text, work, kind = "quiet") {
  const made = el("button", { type: "button", className: `button small ${kind}` }, text);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await work();
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

/** A badge: good, bad, busy, or plain. */
export const pill = (text, mood = "") => el("span", { className: `pill ${mood}` }, text);

/** A relative time, with the exact one as tooltip. */
export function when(moment, text = ago) {
  if (!moment) return "–";
  const exact = new Date(moment).toLocaleString("en", DAY);
  return el("time", { dateTime: moment, title: exact }, text(moment));
}

export const exactly = (moment) => when(moment, (time) => new Date(time).toLocaleString("en", DAY));

/** A duration: 45 s, 12 min, 3 h, 2 d. */
export function span(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= Math.max(size, 120)) return `${Math.round(seconds / size)} ${unit}`;
  }
  return `${Math.max(0, Math.round(seconds))} s`;
}

export const until = (moment) => `in ${span((new Date(moment) - Date.now()) / 1000)}`;

export function bytes(count) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = count;
  while (value >= 1000 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${units[0]}`;
}

/** Minor units per unit of the currency. */
export const minor = (currency) => (currency === "JPY" ? 1 : 100);

export const money = (amount, currency) =>
  new Intl.NumberFormat("en", { style: "currency", currency }).format(amount / minor(currency));

/** A description list; pairs without a value are omitted. */
export function facts(pairs) {
  const given = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return el("dl", { className: "facts-list" }, given.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
}
