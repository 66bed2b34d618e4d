// The job monitor, updated by server-sent events every two seconds.

import * as api from "../api.js";
import { button, el, exactly, facts, pill, span, until, when } from "./dom.js";
import { isOpen, show, sure } from "./form.js";
import { openTable } from "./table.js";

const MOODS = { todo: "", doing: "busy", stalled: "bad", succeeded: "good", failed: "bad", cancelled: "", aborted: "" };
const NAMES = { todo: "waiting", doing: "running", succeeded: "done" };
const statusName = (status) => NAMES[status] ?? status;
const RETRYABLE = ["failed", "cancelled", "aborted"];
const SVG = "http://www.w3.org/2000/svg";

const table = (id, labels, className = "") => {
  const body = el("tbody", { id });
  const made = el("div", { className: "scroll" }, el("table", { className: `cards ${className}` },
    el("thead", {}, el("tr", {}, labels.map((label) => el("th", { scope: "col" }, label)))), body));
  const fill = (rows, empty) => body.replaceChildren(...(rows.length ? rows : [el("tr", {}, el("td", { className: "nothing", colSpan: labels.length }, empty))]));
  const row = (...cells) => el("tr", {}, cells.map((cell, index) =>
    cell instanceof HTMLTableCellElement ? cell : el("td", { data: { label: labels[index] } }, cell)));
  return { made, fill, row };
};

const failureCount = (count) => (count ? el("span", { className: "failed" }, String(count)) : "0");

/** Jobs done in each of the last sixty minutes, as bars. */
function bars(throughput) {
  const svg = document.createElementNS(SVG, "svg");
  const most = Math.max(...throughput, 1);
  svg.setAttribute("viewBox", "0 0 240 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "bars");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Jobs done in each of the last 60 minutes, ${most} at most`);
  throughput.forEach((count, minute) => {
    const bar = document.createElementNS(SVG, "rect");
    const height = count ? Math.max((count / most) * 38, 2) : 0.5;
    for (const [name, value] of Object.entries({ x: minute * 4, y: 40 - height, width: 3, height })) bar.setAttribute(name, value);
    svg.append(bar);
  });
  return svg;
}

export function openJobs(view, context) {
  const queues = table("queues", ["Queue", "Waiting", "Scheduled", "Running", "Stalled", "Failed", "Oldest waiting", "Done (1 h)", "Failed (1 h)", "Incidents"], "figures-of");
  const workers = table("workers", ["Worker", "State", "Last seen", "Jobs"]);
  const schedules = table("schedules", ["Job", "When", "Last run", "Next run", ""]);
  const live = el("span", { className: "pill", id: "live" }, "connecting");
  const chart = el("div", { className: "panel chart" });
  const list = el("section");
  view.append(
    el("div", { className: "headline" }, el("h1", {}, "Jobs ", live)),
    el("section", {}, el("h2", {}, "Queues"), queues.made),
    el("section", {}, el("h2", {}, "Done in the last hour"), chart),
    el("section", {}, el("h2", {}, "Workers"), workers.made),
    list,
    el("section", {}, el("h2", {}, "Schedules"), schedules.made),
  );
  const refresh = openTable(list, jobList(), context);
  const stop = api.followQueue((seen) => {
    live.textContent = "live";
    live.className = "pill good";
    queues.fill(seen.queues.map((queue) => queueRow(queues.row, queue)), "No jobs yet.");
    workers.fill(seen.workers.map((worker) => workerRow(workers.row, worker)), "No worker is running. Start one with `videoflix worker`.");
    if (!schedules.made.contains(document.activeElement)) schedules.fill(seen.schedules.map((one) => scheduleRow(schedules.row, one, context, refresh)), "");
    const total = seen.throughput.reduce((sum, count) => sum + count, 0);
    chart.replaceChildren(el("strong", {}, total.toLocaleString("en")), bars(seen.throughput));
    if (!document.hidden && !isOpen() && !list.contains(document.activeElement)) refresh();
  }, () => {
    live.textContent = "connection lost";
    live.className = "pill bad";
    refresh(); // shows the reason, or redirects to sign-in
  });
  return stop;
}

const queueRow = (row, queue) => row(
  el("strong", {}, queue.queue), String(queue.todo), String(queue.scheduled), String(queue.doing), failureCount(queue.stalled),
  failureCount(queue.failed), queue.todo ? span(queue.oldest_seconds) : "–", String(queue.done_last_hour),
  failureCount(queue.failed_last_hour), incidentsOf(queue),
);

/** Incidents of the last day that did not fail a job. */
const incidentsOf = (queue) =>
  [["rescued", "recovered"], ["fenced", "superseded"], ["unknown", "unknown"]].filter(([kind]) => queue[kind]).map(([kind, words]) => `${queue[kind]} ${words}`).join(", ") || "–";

const workerRow = (row, worker) => row(
  `no. ${worker.id}`, [worker.alive ? pill("alive", "good") : pill("lost", "bad"), ...stopped(worker)], `${span(worker.silent_seconds)} ago`,
  worker.jobs.length ? worker.jobs.map((job) => button(`job ${job}`, () => openJob(job))) : "–",
);

/** Queues a worker has paused because of a failed self-test. */
const stopped = (worker) => Object.entries(worker.stopped).map(([queue, reason]) => el("p", { className: "failed" },
  `Paused queue “${queue}”: ${reason.replace(/\.$/, "")}. It resumes automatically once this is fixed.`));

const scheduleRow = (row, one, context, refresh) => row(
  el("span", { title: one.purpose }, one.kind), el("code", {}, one.expression), when(one.last_run), when(one.next_run, until),
  el("td", { className: "actions" }, button("Run now", () => context.guarded(async () => {
    await api.ask("POST", `/operations/jobs/schedules/${one.kind}/run`);
    await refresh();
  }))),
);

const jobList = () => ({
  title: "All jobs",
  inner: true,
  path: "/operations/jobs",
  empty: "No jobs found.",
  filters: [
    { name: "status", label: "Status", options: Object.keys(MOODS).map((status) => [status, statusName(status)]) },
    { name: "queue", label: "Queue", options: ["transcode", "default", "maintenance"].map((queue) => [queue, queue]) },
    { name: "kind", label: "Kind, such as media.inspect", type: "search" },
  ],
  columns: [
    { label: "Job", cell: (job) => button(`${job.id}`, () => openJob(job.id)) },
    { label: "Kind", cell: (job) => el("span", { className: "kind" }, job.kind, el("span", { className: "soft" }, summed(job.payload))) },
    { label: "Status", cell: (job) => [pill(statusName(job.status), MOODS[job.status]), job.cancelling ? pill("being cancelled", "busy") : ""] },
    { label: "Attempts", right: true, cell: (job) => String(job.attempts) },
    { label: "Age", cell: (job) => when(job.created_at) },
    { label: "Details", cell: (job) => el("span", { className: "long soft" }, happened(job)) },
  ],
  actions: jobActions,
});

const summed = (payload) => Object.entries(payload).map(([name, value]) => `${name}=${value}`).join(", ");

function happened(job) {
  if (job.status === "succeeded" && job.started_at) return `took ${span((new Date(job.ended_at) - new Date(job.started_at)) / 1000)}`;
  if (job.reason) return job.reason;
  if (job.status === "doing") return `since ${span((Date.now() - new Date(job.started_at)) / 1000)}`;
  return job.scheduled_at && new Date(job.scheduled_at) > Date.now() ? `due ${until(job.scheduled_at)}` : "–";
}

function jobActions(job, refresh, context) {
  const act = (step) => context.guarded(async () => {
    await api.ask("POST", `/operations/jobs/${job.id}/${step}`);
    await refresh();
  });
  const made = [];
  if (job.scheduled_at && job.status === "todo" && new Date(job.scheduled_at) > Date.now()) made.push(button("Run now", () => act("run")));
  if (RETRYABLE.includes(job.status)) made.push(button("Retry", () => act("retry")));
  if (["todo", "doing", "stalled"].includes(job.status) && !job.cancelling) {
    made.push(button("Cancel", async () => {
      if (await sure("Cancel this job?", `${job.kind} (${job.id}) will not be run.`, "Cancel job")) await act("cancel");
    }));
  }
  return made;
}

async function openJob(number) {
  const { job, incidents } = await api.ask("GET", `/operations/jobs/${number}`);
  await show(`Job ${job.id}`,
    facts([
      ["Kind", job.kind], ["Queue", job.queue], ["Status", pill(statusName(job.status), MOODS[job.status])],
      ["Attempts used", String(job.attempts)], ["Priority", String(job.priority)], ["Worker", job.worker_id ? `no. ${job.worker_id}` : null],
      ["Enqueued", exactly(job.created_at)], ["Due", job.scheduled_at ? exactly(job.scheduled_at) : null],
      ["Started", job.started_at ? exactly(job.started_at) : null], ["Ended", job.ended_at ? exactly(job.ended_at) : null],
    ]),
    el("h3", {}, "Payload"), el("pre", {}, JSON.stringify(job.payload, null, 2)),
    el("h3", {}, "Incidents"),
    incidents.length
      ? el("ul", { className: "lines" }, incidents.map((one) => el("li", {}, pill(one.kind, "bad"), ` ${one.reason}`, el("span", { className: "soft" }, exactly(one.at)))))
      : el("p", { className: "hint" }, "None."));
}
