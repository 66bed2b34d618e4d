// The mails this installation wrote while no mail server is set.

import * as api from "./api.js";
import { ago } from "./format.js";

const LINK = /(https?:\/\/[^\s<>"]+)/g;

function linked(text) {
  return text.split(LINK).map((part, index) => {
    if (index % 2 === 0) return document.createTextNode(part);
    const link = document.createElement("a");
    link.href = part;
    link.textContent = part;
    return link;
  });
}

function fate(mail) {
  if (mail.failure) return `The mail server refused it: ${mail.failure}`;
  return `Sent ${ago(mail.sent_at)}; its text is not kept.`;
}

function letter(mail) {
  const made = document.createElement("details");
  made.className = "letter";
  const summary = document.createElement("summary");
  for (const [kind, text] of [["subject", mail.subject], ["to", `to ${mail.to}`], ["when", ago(mail.created_at)]]) {
    const part = document.createElement("span");
    part.className = kind;
    part.textContent = text;
    summary.append(part);
  }
  const body = document.createElement("p");
  body.append(...linked(mail.text || fate(mail)));
  made.append(summary, body);
  return made;
}

try {
  const page = await api.mails();
  const empty = document.createElement("p");
  empty.className = "empty";
  empty.textContent = "No mail has been written yet.";
  document.getElementById("mails").replaceChildren(...(page.total ? page.items.map(letter) : [empty]));
} catch (refusal) {
  const problem = document.getElementById("problem");
  problem.textContent = refusal.status === 401 ? "Sign in on the watch page first." : refusal.message;
  problem.hidden = false;
}
