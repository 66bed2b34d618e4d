// The state of the installation, refreshed every five seconds.

import * as api from "./api.js";
import { ago, stateOf } from "./format.js";

const REFRESH = 5000;
const problem = document.getElementById("problem");
const dialog = document.getElementById("confirm");

function cell(text, kind) {
  const made = document.createElement("td");
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function row(...cells) {
  const made = document.createElement("tr");
  made.append(...cells);
  return made;
}

function tile([name, check]) {
  const item = document.createElement("li");
  item.className = check.ok ? "ok" : "bad";
  const title = document.createElement("strong");
  title.textContent = `${check.ok ? "✓" : "✗"} ${name}`;
  const text = document.createElement("span");
  text.textContent = check.detail;
  item.append(title, text);
  return item;
}

function duration(seconds) {
  if (seconds < 1) return "–";
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function filmRow(film) {
  const title = document.createElement("td");
  const link = document.createElement("a");
  link.href = `/#/watch/${film.id}`;
  link.textContent = film.title;
  title.append(link);
  const actions = document.createElement("td");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet small";
  button.textContent = "Delete";
  button.setAttribute("aria-label", `Delete ${film.title}`);
  button.addEventListener("click", () => confirmDelete(film));
  actions.append(button);
  return row(title, cell(stateOf(film) || "Ready", film.state), cell(ago(film.created_at)), actions);
}

function confirmDelete(film) {
  document.getElementById("confirm-text").textContent = `“${film.title}” and all its files will be gone.`;
  dialog.returnValue = "no";
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue === "yes") {
      await api.remove(film.id).catch(tell);
      await refresh();
    }
  }, { once: true });
  dialog.showModal();
}

function tell(refusal) {
  problem.textContent = refusal.status === 401 ? "Sign in on the watch page first." : refusal.message;
  problem.hidden = false;
}

async function refresh() {
  try {
    const [overview, films] = await Promise.all([api.overview(), api.videos(50, 0)]);
    problem.hidden = true;
    document.getElementById("version").textContent = overview.version;
    document.getElementById("checks").replaceChildren(...Object.entries(overview.checks).map(tile));
    const queues = overview.queues.map((queue) => row(
      cell(queue.queue), cell(queue.todo), cell(queue.doing),
      cell(queue.failed, queue.failed ? "failed" : ""), cell(duration(queue.oldest_seconds)),
      cell(queue.rescued), cell(queue.fenced), cell(queue.unknown, queue.unknown ? "failed" : ""),
    ));
    document.getElementById("queues").replaceChildren(...(queues.length ? queues : [row(cell("No jobs yet"))]));
    document.getElementById("workers").textContent = overview.workers.length
      ? `${overview.workers.length} workers, last heard ${overview.workers.map((worker) => ago(worker.last_heartbeat)).join(", ")}`
      : "No worker is running.";
    document.getElementById("counts").textContent = Object.entries(overview.videos)
      .map(([state, count]) => `${count} ${state}`).join(" · ");
    document.getElementById("videos").replaceChildren(...films.items.map(filmRow));
  } catch (refusal) {
    tell(refusal);
  }
}

await refresh();
setInterval(() => document.hidden || dialog.open || refresh(), REFRESH);
