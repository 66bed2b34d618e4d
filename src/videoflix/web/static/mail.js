// Mails of this installation, if no mail server is configured.

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

function outcome(mail) {
  if (mail.failure) return `The mail server rejected it: ${mail.failure}`;
  return `Sent ${ago(mail.sent_at)}. The text is not stored.`;
}

function mailItem(mail) {
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
  body.append(...linked(mail.text || outcome(mail)));
  made.append(summary, body);
  return made;
}

try {
  const page = await api.mails();
  const empty = document.createElement("p");
  empty.className = "empty";
  empty.textContent = "No mails yet.";
  document.getElementById("mails").replaceChildren(...(page.total ? page.items.map(mailItem) : [empty]));
} catch (error) {
  const problem = document.getElementById("problem");
  problem.textContent = error.status === 401 ? "Sign in first." : error.message;
  problem.hidden = false;
}
