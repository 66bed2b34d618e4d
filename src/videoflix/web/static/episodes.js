// Series in the player: "Skip intro", "Next episode", and the list of episodes below.

import * as api from "./api.js";
import { clock } from "./format.js";

// Without a marker, the next episode is offered this long before the end.
const LAST_SECONDS = 20;

/** Offers what belongs to an episode; returns a function that ends it. */
export function openEpisodes(view, film) {
  const video = view.querySelector("video");
  const skip = view.querySelector(".skip-intro");
  const next = view.querySelector(".next-episode");
  const { intro_start: start, intro_end: end, credits_start: credits } = film.markers;
  let following = null;
  const update = () => {
    const { currentTime: now, duration } = video;
    skip.hidden = start === null || video.readyState === 0 || now < start || now >= end;
    const from = credits ?? (Number.isFinite(duration) ? Math.max(0, duration - LAST_SECONDS) : Infinity);
    next.hidden = !following || !(video.ended || (now > 0 && now >= from));
  };
  skip.addEventListener("click", () => (video.currentTime = end));
  for (const name of ["timeupdate", "seeked", "ended"]) video.addEventListener(name, update);
  const stop = () => {
    for (const name of ["timeupdate", "seeked", "ended"]) video.removeEventListener(name, update);
  };
  if (!film.episode) return stop;
  api.nextEpisode(film.id).then(({ video_id: id, place }) => {
    if (!id) return;
    following = id;
    next.href = `#/watch/${id}`;
    next.textContent = `Next episode: S${place.season} E${place.number}`;
    update();
  }).catch(() => {}); // best effort: the film plays without it
  api.series(film.episode.series_id).then((series) => list(view, series, film.id)).catch(() => {});
  return stop;
}

function list(view, series, current) {
  const box = view.querySelector(".episodes");
  box.querySelector("h2").textContent = series.title;
  for (const season of series.seasons) {
    const heading = document.createElement("h3");
    heading.textContent = season.title || (season.number === 0 ? "Specials" : `Season ${season.number}`);
    const rows = document.createElement("ol");
    rows.append(...season.episodes.map((episode) => row(episode, current)));
    box.append(heading, rows);
  }
  box.hidden = false;
}

function row(episode, current) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `#/watch/${episode.video_id}`;
  if (episode.video_id === current) link.setAttribute("aria-current", "page");
  const state = episode.finished ? "watched" : episode.seconds > 0 ? `at ${clock(episode.seconds)}` : "";
  link.textContent = [`${episode.number}. ${episode.title}`, clock(episode.duration), state].filter(Boolean).join(" · ");
  item.append(link);
  return item;
}
