// The API as functions; a refusal becomes an Error that a person can read.

const BASE = "/api/v1";

export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail || problem.title || "Something went wrong; try again.");
    this.status = status;
    this.kind = problem.type || "";
    this.errors = problem.errors ?? [];
  }
}

// One renewal at a time, however many calls found the session expired.
let renewal = null;

function renew() {
  renewal ??= fetch(`${BASE}/auth/session/refresh`, { method: "POST", credentials: "same-origin" })
    .then((response) => response.ok, () => false)
    .finally(() => { renewal = null; });
  return renewal;
}

// Event streams and uploads cannot be repeated half-way: keep the session fresh while the page is open.
setInterval(renew, 10 * 60 * 1000);

async function call(method, path, body, again = true) {
  const options = { method, headers: {}, credentials: "same-origin" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(BASE + path, options);
  } catch {
    throw new Refused({ detail: "The server cannot be reached; check your connection." }, 0);
  }
  if (response.status === 204) return null;
  const isSigningIn = method === "POST" && path.startsWith("/auth/");
  if (response.status === 401 && again && !isSigningIn && await renew()) {
    return call(method, path, body, false);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(answer, response.status);
  return answer;
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
export const play = (id) => call("POST", `/videos/${id}/play`);
export const remove = (id) => call("DELETE", `/videos/${id}`);
// What was said last about a position: who asks for positions waits for it.
let said = Promise.resolve();

export const unfinished = () => said.then(() => call("GET", "/history?unfinished=true&limit=6"));
export const progress = (id) => said.then(() => call("GET", `/videos/${id}/progress`));
export const watchlist = () => call("GET", "/watchlist?limit=12");
export const isListed = (id) => call("GET", `/watchlist/contains?ids=${id}`).then(({ ids }) => ids.includes(id));
export const list = (id) => call("POST", "/watchlist", { video_id: id });
export const unlist = (id) => call("DELETE", `/watchlist/${id}`);
export const vote = (id) => call("GET", `/videos/${id}/vote`);
export const castVote = (id, cast) =>
  cast ? call("PUT", `/videos/${id}/vote`, { vote: cast }) : call("DELETE", `/videos/${id}/vote`);

/** Says where the player is; `keepalive` lets it arrive although the page is being left. */
export function sayProgress(id, seconds) {
  said = fetch(`${BASE}/videos/${id}/progress`, {
    method: "PUT",
    credentials: "same-origin",
    keepalive: true,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ seconds, at: new Date().toISOString() }),
  }).catch(() => null); // the next one will tell
}

/** Any other call, for the pages of staff. */
export const ask = (method, path, body) => call(method, path, body);

/** Calls `heard` with the job queue every few seconds; returns a function that stops it. */
export function followQueue(heard, lost) {
  let source = null;
  let again = 0;
  const listen = () => {
    source = new EventSource(`${BASE}/operations/jobs/events`);
    source.addEventListener("queue", (event) => heard(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      lost();
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
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

/** Calls `heard` with the film at once and at every change; returns a function that stops it. */
export function follow(id, heard) {
  const source = new EventSource(`${BASE}/videos/${id}/events`);
  source.addEventListener("video", (event) => {
    const film = JSON.parse(event.data);
    heard(film);
    if (film.state !== "processing") source.close();
  });
  return () => source.close();
}

/** Uploads with progress: `told` hears the share from 0 to 1. Returns {done, abort}. */
export function upload(form, told) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", `${BASE}/videos`);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && told(event.loaded / event.total);
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
