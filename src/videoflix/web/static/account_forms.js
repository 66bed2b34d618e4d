// The ways in that need no session: registering, and what mailed links lead to.

import * as api from "./api.js";

const WAYS = {
  register: {
    title: "Create an account",
    hint: "We send you a mail with a link to confirm your address.",
    fields: ["first_name", "last_name", "email", "password"],
    button: "Create the account",
    send: (fields) => api.register(fields),
  },
  forgot: {
    title: "Forgot your password?",
    hint: "We send you a link to choose a new one.",
    fields: ["email"],
    button: "Send the link",
    send: (fields) => api.forgot(fields),
  },
  activate: {
    title: "Confirm your address",
    hint: "One more step, and your account is ready.",
    fields: [],
    button: "Confirm",
    send: (fields, token) => api.activate(token),
    done: "Your address is confirmed. You can sign in now.",
  },
  reset: {
    title: "Choose a new password",
    hint: "You will be signed out on every device.",
    fields: ["password"],
    button: "Save the password",
    send: (fields, token) => api.reset(token, fields.password),
    done: "Your new password is saved. Sign in with it.",
  },
  "confirm-email": {
    title: "Confirm your new address",
    hint: "From then on you sign in with it.",
    fields: [],
    button: "Confirm",
    send: (fields, token) => api.confirmEmail(token),
    done: "Your new address is confirmed.",
  },
};

/** The way an address like `#/reset/TOKEN` asks for, or null. */
export function wayOf(hash) {
  const found = hash.match(/^#\/([a-z-]+)(?:\/([\w-]+))?$/);
  return found && Object.hasOwn(WAYS, found[1]) ? { way: WAYS[found[1]], token: found[2] ?? "" } : null;
}

/** Fills the view of a way; a mailed link does nothing until its button is pressed. */
export function openGate(view, { way, token }) {
  document.title = `${way.title} · Videoflix`;
  const form = view.querySelector("form");
  form.querySelector("h1").textContent = way.title;
  form.querySelector(".hint").textContent = way.hint;
  for (const name of way.fields) {
    form.querySelector(`label.${name}`).hidden = false;
    form.querySelector(`[name=${name}]`).disabled = false;
  }
  const button = form.querySelector("button");
  button.textContent = way.button;
  (form.querySelector("input:enabled") ?? button).focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, way, token);
  });
}

async function send(form, way, token) {
  const error = form.querySelector(".error");
  const button = form.querySelector("button");
  error.hidden = true;
  button.disabled = true;
  try {
    const answer = await way.send(Object.fromEntries(new FormData(form)), token);
    const done = form.querySelector(".done");
    done.textContent = answer?.detail ?? way.done;
    done.hidden = false;
    for (const part of form.querySelectorAll("label, .hint, button")) part.hidden = true;
  } catch (refusal) {
    error.textContent = refusal.message;
    error.hidden = false;
    button.disabled = false;
  }
}
