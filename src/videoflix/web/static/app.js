// The watch page: routes the URL's hash to a view.

import * as api from "./api.js";
import { clock, stateOf } from "./format.js";
import { formOf, openForm } from "./account_forms.js";
import { openEpisodes } from "./episodes.js";
import { openVotes } from "./votes.js";
import { openPlayer } from "./player.js";
import { openUpload } from "./upload.js";

const PAGE = 24;
const main = document.getElementById("main");
const bar = document.getElementById("bar");
// The staff page to return to after signing in; other targets are ignored (no open redirect).
const returnTo = new URLSearchParams(location.search).get("next")?.match(/^\/(?:admin|mail)(?![^/?])[\w/?&=.-]*$/)?.[0];
let user = null;
let leave = () => {};

// Counts the views: what an earlier one was waiting for must not change the present one.
let turn = 0;

function show(template) {
  leave();
  leave = () => {};
  main.replaceChildren(document.getElementById(template).content.cloneNode(true));
  return main.firstElementChild;
}

function isEditor() {
  return user && user.role !== "viewer";
}

function showSignIn() {
  user = null;
  bar.hidden = true;
  document.title = "Sign in · Videoflix";
  const form = show("sign-in-view").querySelector("form");
  const error = form.querySelector(".error");
  form.querySelector("input").focus();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.hidden = true;
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const fields = new FormData(form);
      user = (await api.signIn(fields.get("email"), fields.get("password"))).user;
      route();
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
      form.querySelector("[name=password]").select();
    } finally {
      button.disabled = false;
    }
  });
}

function fill(card, film) {
  const link = card.querySelector("a");
  link.href = `#/watch/${film.id}`;
  card.dataset.state = film.state;
  card.querySelector(".title").textContent = film.title;
  card.querySelector(".state").textContent = stateOf(film);
  const image = card.querySelector("img");
  if (film.poster_url && image.getAttribute("src") !== film.poster_url) {
    image.sizes = "(max-width: 560px) 100vw, 330px";
    image.srcset = film.poster_srcset ?? "";
    image.src = film.poster_url;
  }
  image.hidden = !film.poster_url;
  const length = card.querySelector(".length");
  length.textContent = clock(film.duration);
  length.hidden = !film.duration;
  const badge = card.querySelector(".badge");
  badge.hidden = film.state === "ready";
  badge.textContent = film.state === "failed" ? "Failed" : "New";
  const progress = card.querySelector("progress");
  progress.hidden = film.state !== "processing";
  progress.value = film.progress;
  progress.setAttribute("aria-label", `Encoding ${film.title}`);
  const said = film.hits?.[0];
  card.querySelector(".said").textContent = said ? `${clock(said.at)} “${said.text}”` : "";
}

/** Shows the playback position below a poster. */
function mark(card, { seconds, duration }) {
  const progress = card.querySelector("progress");
  progress.hidden = !duration;
  progress.value = duration ? seconds / duration : 0;
  progress.setAttribute("aria-label", `Watched until ${clock(seconds)}`);
}

function makeCard(film, follow) {
  const card = document.getElementById("card-view").content.cloneNode(true).firstElementChild;
  fill(card, film);
  if (film.state === "processing") follow(film.id, card);
  return card;
}

/** Shows “Continue watching” and “My list”; hidden if empty. */
async function showStrips(view) {
  const [unfinished, mine] = await Promise.all([api.unfinished(), api.watchlist()]);
  const strips = [[".continue", unfinished], [".mine", mine]];
  for (const [name, items] of strips) {
    const strip = view.querySelector(name);
    strip.hidden = items.length === 0;
    strip.querySelector(".grid").append(...items.map(({ video, progress }) => {
      const card = makeCard(video, () => {});
      if (progress) mark(card, progress);
      return card;
    }));
  }
}

async function showList(words = "") {
  document.title = words ? `${words} · Videoflix` : "Videoflix";
  document.querySelector(".search input").value = words;
  const view = show("list-view");
  if (words) view.querySelector("h1").textContent = `Films for “${words}”`;
  else guarded(() => showStrips(view));
  const grid = view.querySelector(".grid.all");
  const more = view.querySelector(".more");
  const stops = [];
  leave = () => stops.forEach((stop) => stop());
  const follow = (id, card) => stops.push(api.follow(id, (film) => fill(card, film)));
  for (let count = 0; count < 8; count += 1) grid.append(skeleton());
  let offset = 0;
  // Back leads to the place that was left: as many films as were shown, scrolled as far.
  const kept = history.state ?? {};
  const keep = () => history.replaceState({ films: offset, at: window.scrollY }, "");
  let scrolling = 0;
  const scrolled = () => {
    clearTimeout(scrolling);
    scrolling = setTimeout(keep, 150);
  };
  window.addEventListener("scroll", scrolled, { passive: true });
  stops.push(() => window.removeEventListener("scroll", scrolled), () => clearTimeout(scrolling));
  const load = async (count = PAGE) => {
    const page = await api.videos(count, offset, words);
    if (page.corrected) {
      const hint = view.querySelector(".hint");
      hint.textContent = `No results for “${words}”. Showing results for “${page.corrected}”.`;
      hint.hidden = false;
    }
    if (offset === 0) grid.replaceChildren();
    offset += page.items.length;
    grid.append(...page.items.map((film) => makeCard(film, follow)));
    grid.setAttribute("aria-busy", "false");
    more.hidden = page.items.length < count || (offset >= page.total && !page.total_is_minimum);
    view.querySelector(".empty").hidden = page.total > 0;
    if (words) view.querySelector(".empty h2").textContent = "No films found";
    if (words) return;
    view.querySelector(isEditor() ? ".for-editors" : ".for-viewers").hidden = false;
  };
  more.addEventListener("click", () => guarded(() => load()));
  await load(Math.min(100, Math.max(PAGE, kept.films ?? 0)));
  if (kept.at) window.scrollTo(0, kept.at);
}

function skeleton() {
  const item = document.createElement("li");
  item.className = "film skeleton";
  item.setAttribute("aria-hidden", "true");
  return item;
}

async function showWatch(id) {
  const opened = turn;
  const film = await api.video(id);
  if (opened !== turn) return;
  const view = show("watch-view");
  const stops = [openPlayer(view, film), openEpisodes(view, film)];
  leave = () => stops.forEach((stop) => stop());
  openVotes(view, film);
}

async function guarded(work) {
  const begun = turn;
  try {
    await work();
  } catch (problem) {
    if (begun !== turn) return;
    if (problem.status === 401) showSignIn();
    else showProblem(problem);
  }
}

function showProblem(problem) {
  leave();
  leave = () => {};
  const note = document.createElement("section");
  note.className = "gate";
  const text = document.createElement("p");
  text.className = "card";
  text.setAttribute("role", "alert");
  text.textContent = problem.message;
  const back = document.createElement("a");
  back.href = "#/";
  back.className = "button quiet";
  back.textContent = "All films";
  note.append(text, back);
  main.replaceChildren(note);
}

function route() {
  turn += 1;
  const form = formOf(location.hash);
  if (form) {
    bar.hidden = true;
    return openForm(show("gate-view"), form);
  }
  if (!user) return showSignIn();
  if (returnTo) return location.replace(returnTo);
  bar.hidden = false;
  document.getElementById("open-upload").hidden = !isEditor();
  document.getElementById("admin-link").hidden = !isEditor();
  const watch = location.hash.match(/^#\/watch\/(\d+)$/);
  const found = location.hash.match(/^#\/search\/(.+)$/);
  window.scrollTo(0, 0);
  if (!document.activeElement?.closest(".bar")) main.focus({ preventScroll: true });
  return guarded(() => (watch ? showWatch(watch[1]) : showList(found ? decodeURIComponent(found[1]) : "")));
}

document.querySelector(".search").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = new FormData(event.target).get("q").trim();
  location.hash = words ? `#/search/${encodeURIComponent(words)}` : "#/";
});

document.getElementById("sign-out").addEventListener("click", async () => {
  await api.signOut().catch(() => {});
  location.hash = "#/";
  showSignIn();
});
document.getElementById("open-upload").addEventListener("click", () => openUpload());
document.addEventListener("uploaded", (event) => {
  if (location.hash === `#/watch/${event.detail.id}`) route();
  else location.hash = `#/watch/${event.detail.id}`;
});
// The link is to a part of this page: it must not lead to another view.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
history.scrollRestoration = "manual";
window.addEventListener("hashchange", route);

try {
  user = await api.me();
} catch {
  user = null;
}
route();
