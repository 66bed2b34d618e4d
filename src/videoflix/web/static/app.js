// The watch page: who is signed in decides what is shown, the address decides which view.

import * as api from "./api.js";
import { clock, stateOf } from "./format.js";
import { openGate, wayOf } from "./gate.js";
import { openPlayer } from "./player.js";
import { openUpload } from "./upload.js";

const PAGE = 24;
const main = document.getElementById("main");
const bar = document.getElementById("bar");
let person = null;
let leave = () => {};

function show(template) {
  leave();
  leave = () => {};
  main.replaceChildren(document.getElementById(template).content.cloneNode(true));
  return main;
}

function isEditor() {
  return person && person.role !== "viewer";
}

function showSignIn() {
  person = null;
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
      person = (await api.signIn(fields.get("email"), fields.get("password"))).user;
      route();
    } catch (refusal) {
      error.textContent = refusal.message;
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
  if (film.poster_url && image.getAttribute("src") !== film.poster_url) image.src = film.poster_url;
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
}

function makeCard(film, follow) {
  const card = document.getElementById("card-view").content.cloneNode(true).firstElementChild;
  fill(card, film);
  if (film.state === "processing") follow(film.id, card);
  return card;
}

async function showList() {
  document.title = "Videoflix";
  const view = show("list-view");
  const grid = view.querySelector(".grid");
  const more = view.querySelector(".more");
  const stops = [];
  leave = () => stops.forEach((stop) => stop());
  const follow = (id, card) => stops.push(api.follow(id, (film) => fill(card, film)));
  for (let count = 0; count < 8; count += 1) grid.append(skeleton());
  let offset = 0;
  const load = async () => {
    const page = await api.videos(PAGE, offset);
    if (offset === 0) grid.replaceChildren();
    offset += page.items.length;
    grid.append(...page.items.map((film) => makeCard(film, follow)));
    grid.setAttribute("aria-busy", "false");
    more.hidden = offset >= page.total;
    view.querySelector(".empty").hidden = page.total > 0;
    view.querySelector(isEditor() ? ".for-editors" : ".for-viewers").hidden = false;
  };
  more.addEventListener("click", () => guarded(load));
  await load();
}

function skeleton() {
  const item = document.createElement("li");
  item.className = "film skeleton";
  item.setAttribute("aria-hidden", "true");
  return item;
}

async function showWatch(id) {
  const film = await api.video(id);
  const view = show("watch-view");
  const close = openPlayer(view, film);
  leave = close;
}

async function guarded(work) {
  try {
    await work();
  } catch (refusal) {
    if (refusal.status === 401) showSignIn();
    else showProblem(refusal);
  }
}

function showProblem(refusal) {
  leave();
  leave = () => {};
  const note = document.createElement("section");
  note.className = "gate";
  const text = document.createElement("p");
  text.className = "card";
  text.setAttribute("role", "alert");
  text.textContent = refusal.message;
  const back = document.createElement("a");
  back.href = "#/";
  back.className = "button quiet";
  back.textContent = "All films";
  note.append(text, back);
  main.replaceChildren(note);
}

function route() {
  const gate = wayOf(location.hash);
  if (gate) {
    bar.hidden = true;
    return openGate(show("gate-view"), gate);
  }
  if (!person) return showSignIn();
  bar.hidden = false;
  document.getElementById("open-upload").hidden = !isEditor();
  document.getElementById("admin-link").hidden = person.role !== "admin";
  const watch = location.hash.match(/^#\/watch\/(\d+)$/);
  window.scrollTo(0, 0);
  return guarded(() => (watch ? showWatch(watch[1]) : showList()));
}

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
window.addEventListener("hashchange", route);

try {
  person = await api.me();
} catch {
  person = null;
}
route();
