// Forms without a session: registration, and the targets of mailed links.

import * as api from "./api.js";

const FORMS = {
  register: {
    title: "Create an account",
    hint: "We'll send you a link to confirm your e-mail address.",
    fields: ["first_name", "last_name", "email", "password"],
    button: "Create account",
    send: (fields) => api.register(fields),
  },
  forgot: {
    title: "Forgot your password?",
    hint: "We'll send you a link to reset it.",
    fields: ["email"],
    button: "Send link",
    send: (fields) => api.forgot(fields),
  },
  activate: {
    title: "Confirm your e-mail address",
    hint: "One more step and your account is ready.",
    fields: [],
    button: "Confirm",
    send: (fields, token) => api.activate(token),
    done: "Your e-mail address is confirmed. You can sign in now.",
  },
  reset: {
    title: "Reset your password",
    hint: "You will be signed out on all devices.",
    fields: ["password"],
    button: "Save password",
    send: (fields, token) => api.reset(token, fields.password),
    done: "Your new password is saved. You can sign in now.",
  },
  "confirm-email": {
    title: "Confirm your new e-mail address",
    hint: "You will use it to sign in.",
    fields: [],
    button: "Confirm",
    send: (fields, token) => api.confirmEmail(token),
    done: "Your new e-mail address is confirmed.",
  },
};

/** The form and token of a hash like `#/reset/TOKEN`, or null. */
export function formOf(hash) {
  const found = hash.match(/^#\/([a-z-]+)(?:\/([\w-]+))?$/);
  return found && Object.hasOwn(FORMS, found[1]) ? { account: FORMS[found[1]], token: found[2] ?? "" } : null;
}

/** Shows a form. A mailed link does nothing until its button is pressed: mail scanners open links. */
export function openForm(view, { account, token }) {
  document.title = `${account.title} · Videoflix`;
  const form = view.querySelector("form");
  form.querySelector("h1").textContent = account.title;
  form.querySelector(".hint").textContent = account.hint;
  for (const name of account.fields) {
    form.querySelector(`label.${name}`).hidden = false;
    form.querySelector(`[name=${name}]`).disabled = false;
  }
  const button = form.querySelector("button");
  button.textContent = account.button;
  (form.querySelector("input:enabled") ?? button).focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, account, token);
  });
}

async function send(form, account, token) {
  const error = form.querySelector(".error");
  const button = form.querySelector("button");
  error.hidden = true;
  button.disabled = true;
  try {
    const answer = await account.send(Object.fromEntries(new FormData(form)), token);
    const done = form.querySelector(".done");
    done.textContent = answer?.detail ?? account.done;
    done.hidden = false;
    for (const part of form.querySelectorAll("label, .hint, button")) part.hidden = true;
  } catch (problem) {
    error.textContent = problem.message;
    error.hidden = false;
    button.disabled = false;
  }
}
