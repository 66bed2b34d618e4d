// The API as functions; problems (RFC 9457) become errors with a readable message.

const BASE = "/api/v1";

export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail || problem.title || "Something went wrong. Try again.");
    this.status = status;
    this.kind = problem.type || "";
    this.errors = problem.errors ?? [];
    this.streams = problem.streams ?? []; // running ones, at the plan's limit
  }
}

// Single flight: concurrent calls with an expired session share one renewal.
let renewal = null;

function renew() {
  renewal ??= fetch(`${BASE}/auth/session/refresh`, { method: "POST", credentials: "same-origin" })
    .then((response) => response.ok, () => false)
    .finally(() => { renewal = null; });
  return renewal;
}

// Event streams and uploads cannot be retried: renew the session while the page is open.
setInterval(renew, 10 * 60 * 1000);

async function call(method, path, body, again = true) {
  const options = { method, headers: {}, credentials: "same-origin" };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(BASE + path, options);
  } catch {
    throw new Refused({ detail: "We can't reach the server. Check your connection." }, 0);
  }
  if (response.status === 204) return null;
  const isSigningIn = method === "POST" && path.startsWith("/auth/");
  if (response.status === 401 && again && !isSigningIn && await renew()) {
    return call(method, path, body, false);
  }
  const result = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(result, response.status);
  return result;
}

export const me = () => call("GET", "/me");
export const signIn = (email, password) => call("POST", "/auth/session", { email, password });
export const signOut = () => call("DELETE", "/auth/session");
export const register = (account) => call("POST", "/auth/register", account);
export const forgot = ({ email }) => call("POST", "/auth/password/forgot", { email });
export const activate = (token) => call("POST", "/auth/activate", { token });
export const reset = (token, password) => call("POST", "/auth/password/reset", { token, password });
export const confirmEmail = (token) => call("POST", "/auth/email/confirm", { token });
export const videos = (limit, offset, search = "") =>
  call("GET", `/videos?${new URLSearchParams({ limit, offset, ...(search && { search }) })}`);
export const video = (id) => call("GET", `/videos/${id}`);
export const nextEpisode = (id) => call("GET", `/videos/${id}/next`);
export const series = (id) => call("GET", `/series/${id}`);
export const startStream = (video_id, device) => call("POST", "/streams", { video_id, device });
export const heartbeat = (id) => call("PUT", `/streams/${id}`);
export const files = (id) => call("GET", `/videos/${id}/files`);
export const remove = (id) => call("DELETE", `/videos/${id}`);
// The last save of a position; reads of positions wait for it.
let lastSave = Promise.resolve();

export const unfinished = () => lastSave.then(() => call("GET", "/history?unfinished=true&limit=6"));
export const progress = (id) => lastSave.then(() => call("GET", `/videos/${id}/progress`));
export const watchlist = () => call("GET", "/watchlist?limit=12");
export const isListed = (id) => call("GET", `/watchlist/contains?ids=${id}`).then(({ ids }) => ids.includes(id));
export const list = (id) => call("POST", "/watchlist", { video_id: id });
export const unlist = (id) => call("DELETE", `/watchlist/${id}`);
export const vote = (id) => call("GET", `/videos/${id}/vote`);
export const castVote = (id, cast) =>
  cast ? call("PUT", `/videos/${id}/vote`, { vote: cast }) : call("DELETE", `/videos/${id}/vote`);

/** Saves the playback position; with `keepalive`, also while the page is being closed. */
export function saveProgress(id, seconds) {
  lastSave = fetch(`${BASE}/videos/${id}/progress`, {
    method: "PUT",
    credentials: "same-origin",
    keepalive: true,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ seconds, at: new Date().toISOString() }),
  }).catch(() => null); // best effort: the next save follows
}

/** Stops a stream, also while the page is being closed. */
export const stopStream = (id) =>
  fetch(`${BASE}/streams/${id}`, { method: "DELETE", credentials: "same-origin", keepalive: true }).catch(() => null);

/** Any other call, for the admin panel. */
export const ask = (method, path, body) => call(method, path, body);

/** Calls `onChange` with the state of the queues every few seconds; returns an unsubscribe function. */
export function followQueue(onChange, onLost) {
  let source = null;
  let again = 0;
  const listen = () => {
    source = new EventSource(`${BASE}/operations/jobs/events`);
    source.addEventListener("queue", (event) => onChange(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      onLost();
      if (source.readyState !== EventSource.CLOSED) return; // the browser reconnects
      again = setTimeout(() => renew().then(listen), 2000);
    });
  };
  listen();
  return () => {
    clearTimeout(again);
    source.close();
  };
}

export const overview = () => call("GET", "/operations/overview");
export const mails = () => call("GET", "/operations/mail?limit=50");

/** Calls `onChange` with the video at once and after each change; returns an unsubscribe function. */
export function follow(id, onChange) {
  const source = new EventSource(`${BASE}/videos/${id}/events`);
  source.addEventListener("video", (event) => {
    const film = JSON.parse(event.data);
    onChange(film);
    if (film.state !== "processing") source.close();
  });
  return () => source.close();
}

/** Uploads with progress: calls `onProgress` with the share, 0 to 1. Returns {done, abort}. */
export function upload(form, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", `${BASE}/videos`);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 201) resolve(request.response);
      else reject(new Refused(request.response || {}, request.status));
    };
    request.onerror = () => reject(new Refused({ detail: "The connection was lost. Try again." }, 0));
    request.onabort = () => reject(new Refused({ detail: "Cancelled." }, 0));
    request.send(form);
  });
  return { done, abort: () => request.abort() };
}
