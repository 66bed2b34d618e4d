// The overview, refreshed every five seconds.

import * as api from "../api.js";
import { el, link } from "./dom.js";

const REFRESH = 5000;

function tile([name, check]) {
  return el("li", { className: check.ok ? "ok" : "bad" },
    el("strong", {}, `${check.ok ? "✓" : "✗"} ${name}`), el("span", {}, check.detail));
}

const figure = (number, text, href, mood = "") =>
  el("li", {}, el("a", { href, className: `figure ${mood}` }, el("strong", {}, number.toLocaleString("en")), el("span", {}, text)));

export function openOverview(view, context) {
  const version = el("small");
  const checks = el("ul", { className: "tiles", id: "checks" });
  const figures = el("ul", { className: "figures" });
  view.append(
    el("h1", {}, "Installation ", version),
    el("section", {}, el("h2", {}, "Health"), checks),
    el("section", {}, el("h2", {}, "In numbers"), figures),
    el("p", { className: "ways start" }, link("/mail", "Mail"), link("/schema", "API documentation")),
  );
  const refresh = () => context.guarded(async () => {
    const overview = await api.overview();
    const sum = (name) => overview.queues.reduce((total, queue) => total + queue[name], 0);
    version.textContent = overview.version;
    checks.replaceChildren(...Object.entries(overview.checks).map(tile));
    const [dead, stalled] = [sum("failed"), sum("stalled")];
    figures.replaceChildren(
      figure(overview.videos.ready ?? 0, "films ready", "/admin/titles?state=ready"),
      figure(overview.videos.processing ?? 0, "films being encoded", "/admin/titles?state=processing", overview.videos.processing ? "busy" : ""),
      figure(overview.videos.failed ?? 0, "films failed", "/admin/titles?state=failed", overview.videos.failed ? "bad" : ""),
      figure(sum("todo") + sum("doing"), "jobs waiting or running", "/admin/jobs"),
      figure(dead, "failed jobs", "/admin/jobs?status=failed", dead ? "bad" : ""),
      figure(stalled, "jobs stalled", "/admin/jobs?status=stalled", stalled ? "bad" : ""),
      figure(overview.workers.filter((worker) => worker.alive).length, "workers alive", "/admin/jobs"),
    );
  });
  const timer = setInterval(() => document.hidden || refresh(), REFRESH);
  refresh();
  return () => clearInterval(timer);
}
