// Dialogs: forms and confirmations.

import { el, minor } from "./dom.js";

const dialog = document.getElementById("dialog");

/** Opens the dialog with this content; resolves when it closes. */
export function open(title, ...content) {
  dialog.replaceChildren(el("h2", { id: "dialog-title" }, title), ...content);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

/** Closes the dialog if it is open. */
export function close() {
  if (dialog.open) dialog.close("");
}

export const isOpen = () => dialog.open;

const closer = (text) => el("button", { type: "button", className: "button quiet", onclick: close }, text);

/** Asks for confirmation. */
export async function sure(title, text, yes) {
  const agree = el("button", { type: "button", className: "button danger", onclick: () => dialog.close("yes") }, yes);
  const refuse = closer("Go back");
  refuse.autofocus = true;
  return await open(title, el("p", {}, text), el("div", { className: "row" }, refuse, agree)) === "yes";
}

/** Shows content in the dialog. */
export const show = (title, ...content) => open(title, ...content, el("div", { className: "row" }, closer("Close")));

/**
 * Shows a form. `fields` are {name, label, type, value, options, currency, hint, required}; `send`
 * gets the values and throws problems, which are shown beside the fields they name. With `changes`
 * only changed values are sent. Returns whether it was sent.
 */
export async function ask({ title, hint, fields, button = "Save", changes = false, send }) {
  const error = el("p", { className: "error", hidden: true });
  error.setAttribute("role", "alert");
  const submit = el("button", { className: "button accent", type: "submit" }, button);
  const inputs = fields.map((field) => ({ field, input: inputOf(field), said: el("span", { className: "refused" }) }));
  const form = el(
    "form", { className: "asked" },
    hint ? el("p", { className: "hint" }, hint) : null,
    inputs.map(labelled),
    error,
    el("div", { className: "row" }, closer("Cancel"), submit),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.hidden = true;
    for (const { said } of inputs) said.textContent = "";
    submit.disabled = true;
    try {
      await send(entered(inputs, changes));
      dialog.close("sent");
    } catch (problem) {
      showProblem(problem, inputs, error);
    } finally {
      submit.disabled = false;
    }
  });
  return await open(title, form) === "sent";
}

function labelled({ field, input, said }) {
  const classes = field.type === "checkbox" ? "check" : field.wide ? "whole" : "";
  const hint = field.hint ? el("span", { className: "explained" }, field.hint) : null;
  const parts = field.type === "checkbox" ? [input, field.label] : [field.label, input];
  return el("label", { className: classes }, ...parts, hint, said);
}

function showProblem(problem, inputs, error) {
  const rest = problem.errors.filter(({ field, message }) => {
    const found = inputs.find((one) => one.field.name === field.replace(/^\$\./, ""));
    if (found) found.said.textContent = message;
    return !found;
  });
  if (rest.length || !problem.errors.length) {
    error.textContent = problem.message;
    error.hidden = false;
  }
  inputs.find((one) => one.said.textContent)?.input.focus();
}

function inputOf(field) {
  const common = { name: field.name, required: field.required ?? false };
  if (field.type === "select" || field.type === "many") {
    const chosen = field.type === "many" ? field.value.map(String) : [String(field.value ?? "")];
    const made = el("select", { ...common, multiple: field.type === "many" }, field.options.map(([value, text]) =>
      el("option", { value: String(value), selected: chosen.includes(String(value)) }, text)));
    if (field.type === "many") made.size = Math.min(Math.max(field.options.length, 2), 6);
    return made;
  }
  if (field.type === "textarea") return el("textarea", { ...common, rows: 4, value: field.value ?? "" });
  if (field.type === "checkbox") return el("input", { ...common, type: "checkbox", checked: field.value ?? false });
  const type = { money: "number", moment: "datetime-local", list: "text" }[field.type] ?? field.type ?? "text";
  const made = el("input", { ...common, type, value: asTyped(field), placeholder: field.placeholder, autocomplete: "off" });
  for (const name of ["min", "max", "maxLength", "pattern"]) if (name in field) made[name] = field[name];
  if (field.type === "money") made.step = 1 / minor(field.currency);
  return made;
}

function asTyped({ type, value, currency }) {
  if (value === undefined || value === null) return "";
  if (type === "money") return value / minor(currency);
  if (type === "list") return value.join(", ");
  if (type !== "moment") return value;
  const moment = new Date(value);
  return new Date(moment - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function valueOf({ field, input }) {
  const text = input.value.trim();
  if (field.type === "checkbox") return input.checked;
  if (field.type === "many") return [...input.selectedOptions].map((option) => Number(option.value));
  if (field.type === "list") return text.split(",").map((part) => part.trim()).filter(Boolean);
  if (text === "") return field.empty === undefined ? "" : field.empty;
  if (field.type === "money") return Math.round(Number(text) * minor(field.currency));
  if (field.type === "moment") return new Date(text).toISOString();
  return field.type === "number" || field.number ? Number(text) : text;
}

/** The values: without empty `omit` fields, and with `changes` only changed ones. */
function entered(inputs, changes) {
  const body = {};
  for (const one of inputs) {
    const value = valueOf(one);
    const { field, input } = one;
    if (value === "" && field.omit) continue;
    const before = field.type === "moment" || field.type === "money" ? asTyped(field) : field.value;
    const now = field.type === "moment" || field.type === "money" ? input.value : value;
    if (changes && String(now ?? "") === String(before ?? "")) continue;
    body[field.name] = value;
  }
  return body;
}
