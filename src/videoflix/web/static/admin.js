// The admin panel: routes the URL to a section; the user's role decides which are available.

import * as api from "./api.js";
import { el } from "./admin/dom.js";
import { openAssets, openCategories, openTitles, openVotes } from "./admin/titles.js";
import { close } from "./admin/form.js";
import { openInvoice, openInvoices } from "./admin/invoices.js";
import { openJobs } from "./admin/jobs.js";
import { openMemberships, openPlans } from "./admin/memberships.js";
import { openOverview } from "./admin/overview.js";
import { openPeople, openPerson, ROLES } from "./admin/users.js";
import { openAudit, openSettings } from "./admin/records.js";
import { openDeliveries, openWebhooks } from "./admin/webhooks.js";

// [path, name, minimum role, list, detail]
const SECTIONS = [
  ["", "Overview", "admin", openOverview],
  ["jobs", "Jobs", "admin", openJobs],
  ["titles", "Titles", "editor", openTitles],
  ["categories", "Categories", "editor", openCategories],
  ["assets", "Files", "admin", openAssets],
  ["votes", "Votes", "admin", openVotes],
  ["users", "Users", "admin", openPeople, openPerson],
  ["memberships", "Memberships", "admin", openMemberships],
  ["plans", "Plans", "admin", openPlans],
  ["invoices", "Invoices", "admin", openInvoices, openInvoice],
  ["webhooks", "Webhooks", "admin", openWebhooks, openDeliveries],
  ["audit", "Audit", "admin", openAudit],
  ["settings", "Settings", "admin", openSettings],
];

const main = document.getElementById("main");
const nav = document.getElementById("sections");
const problem = document.getElementById("problem");
let leave = () => {};
let me = null;

function showProblem(error) {
  if (error.status === 401) return location.replace(`/?next=${encodeURIComponent(location.pathname + location.search)}`);
  problem.textContent = error.message;
  problem.hidden = false;
  problem.scrollIntoView({ block: "nearest" });
}

/** Runs something; a problem is shown at the top of the page. */
async function guarded(work) {
  try {
    await work();
    if (problem.dataset.of === location.href) problem.hidden = true;
  } catch (error) {
    if (!(error instanceof api.Refused)) throw error;
    problem.dataset.of = location.href;
    showProblem(error);
  }
}

const mine = () => SECTIONS.filter(([, , least]) => ROLES.indexOf(me.role) >= ROLES.indexOf(least));

async function route() {
  leave();
  leave = () => {};
  close();
  problem.hidden = true;
  const [name = "", number] = location.pathname.split("/").slice(2);
  const found = mine().find(([path]) => path === name) ?? mine()[0];
  if (found[0] !== name) history.replaceState(null, "", `/admin/${found[0]}`);
  document.title = `${found[1]} · Videoflix`;
  for (const item of nav.querySelectorAll("a")) {
    if (item.pathname.split("/")[2] === (found[0] || undefined)) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
  }
  nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  const view = el("div");
  main.replaceChildren(view);
  window.scrollTo(0, 0);
  const open = number && found[4] ? found[4] : found[3];
  await guarded(async () => {
    leave = (await open(view, { me, guarded, reload: route, go }, number)) ?? (() => {});
  });
}

function go(path) {
  history.pushState(null, "", path);
  return route();
}

// Links inside the panel do not reload the page.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || link.origin !== location.origin || !/^\/admin(\/|$)/.test(link.pathname)) return;
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || link.target) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
window.addEventListener("popstate", route);
document.getElementById("sign-out").addEventListener("click", async () => {
  await api.signOut().catch(() => {});
  location.assign("/");
});

try {
  me = await api.me();
  nav.replaceChildren(...mine().map(([path, name]) => el("a", { href: `/admin${path ? `/${path}` : ""}` }, name)));
  await route();
} catch (error) {
  showProblem(error);
}
