// The player: hls.js if the browser has Media Source Extensions, else native HLS.

import * as api from "./api.js";
import { clock, stateOf } from "./format.js";
import { bindKeys } from "./shortcuts.js";
import { offerTracks, toggleSubtitles } from "./tracks.js";

// How often the playback position is saved.
const SAVE_INTERVAL_MS = 10_000;

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  loud: "M4 9v6h4l5 5V4L8 9zM16 8a5 5 0 010 8",
  mute: "M4 9v6h4l5 5V4L8 9zM16 9l6 6M22 9l-6 6",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  pip: "M3 5h18v14H3zM12 12h7v5h-7z",
};

function icon(button, name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  button.replaceChildren(svg);
}

/** Loads hls.js once; it is a classic script that sets `window.Hls`. */
let loading = null;
function loadHls() {
  loading ??= new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = "/assets/vendor/hls.js-1.7.4/hls.min.js";
    script.onload = () => resolve(window.Hls);
    script.onerror = () => resolve(null);
    document.head.append(script);
  });
  return loading;
}

/** Opens a film in the watch view; returns a function that closes the player. */
export function openPlayer(view, film) {
  const player = new Player(view, film);
  player.describe(film);
  player.follow();
  return () => player.close();
}

class Player {
  constructor(view, film) {
    this.id = film.id;
    this.view = view;
    this.stage = view.querySelector(".stage");
    this.video = view.querySelector("video");
    this.started = false;
    this.stops = [];
    this.wire();
  }

  part(selector) {
    return this.view.querySelector(selector);
  }

  describe(film) {
    this.film = film;
    document.title = `${film.title} · Videoflix`;
    this.part(".about h1").textContent = film.title;
    this.part(".description").textContent = film.description;
    const facts = [film.duration ? clock(film.duration) : "", film.qualities[0] ?? "", stateOf(film)];
    this.part(".facts").textContent = facts.filter(Boolean).join(" · ");
    if (film.poster_url) this.video.poster = film.poster_url;
    if (film.state === "failed") this.veil(film.failure?.reason ?? "This film could not be encoded.", null);
    else if (!film.playable) this.veil(stateOf(film), film.progress);
    else if (!this.started) this.start();
  }

  follow() {
    if (this.film.state === "processing") this.stops.push(api.follow(this.id, (film) => this.describe(film)));
  }

  veil(text, progress) {
    this.part(".veil").hidden = text === null;
    this.part(".veil-text").textContent = text ?? "";
    const bar = this.part(".veil progress");
    bar.hidden = progress === null;
    bar.value = progress ?? 0;
  }

  async start() {
    this.started = true;
    this.veil("Loading …", null);
    try {
      const [playback, Hls, position] = await Promise.all([api.play(this.id), loadHls(), api.progress(this.id)]);
      const begin = position.finished ? 0 : position.seconds;
      if (Hls?.isSupported()) this.attach(Hls, playback.master_url, begin);
      else this.playNatively(playback.master_url, begin);
      this.part(".big-play").hidden = false;
      this.veil(null, null);
    } catch (problem) {
      this.veil(problem.message, null);
    }
  }

  /** iPhone: no Media Source Extensions, but native HLS. */
  playNatively(url, begin) {
    this.video.src = url;
    this.video.addEventListener("loadedmetadata", () => (this.video.currentTime = begin), { once: true });
  }

  attach(Hls, url, begin) {
    const hls = new Hls({ enableWorker: false, startPosition: begin, backBufferLength: 60 });
    this.hls = hls;
    this.stops.push(() => hls.destroy());
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.offerQualities());
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, data) => this.nameLevel(data.level));
    hls.on(Hls.Events.ERROR, (_, data) => this.recover(Hls, data));
    offerTracks(Hls, hls, this.part(".audio select"), this.part(".subtitles select"));
    hls.loadSource(url);
    hls.attachMedia(this.video);
  }

  recover(Hls, data) {
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR) this.hls.startLoad();
    else if (data.type === Hls.ErrorTypes.MEDIA_ERROR) this.hls.recoverMediaError();
    else this.veil("We can't play this film. Try opening it again.", null);
  }

  offerQualities() {
    const select = this.part(".quality select");
    const levels = this.hls.levels.map((level, index) => ({ index, height: Math.min(level.height, level.width) }));
    // A height may be there twice: with stereo, and with 5.1.
    const heights = levels.filter((level, at) => levels.findIndex((other) => other.height === level.height) === at);
    const options = [{ index: -1, height: 0 }, ...heights.reverse()].map(({ index, height }) => {
      const option = document.createElement("option");
      option.value = index;
      option.textContent = index < 0 ? "Auto" : `${height}p`;
      return option;
    });
    select.replaceChildren(...options);
    select.onchange = () => {
      this.hls.currentLevel = Number(select.value); // immediately, without playing out the buffer
    };
  }

  nameLevel(level) {
    const { height, width } = this.hls.levels[level];
    const auto = this.part(".quality option[value='-1']");
    if (auto) auto.textContent = this.hls.autoLevelEnabled ? `Auto (${Math.min(height, width)}p)` : "Auto";
  }

  wire() {
    const { video, stage } = this;
    const on = (selector, event, action) => this.part(selector).addEventListener(event, action);
    icon(this.part(".play"), "play");
    icon(this.part(".mute"), "loud");
    icon(this.part(".full"), "full");
    icon(this.part(".pip"), "pip");
    this.part(".pip").hidden = !document.pictureInPictureEnabled;
    on(".play", "click", () => this.toggle());
    on(".big-play", "click", () => this.toggle());
    video.addEventListener("click", () => this.toggle());
    on(".mute", "click", () => this.toggleMute());
    on(".full", "click", () => this.toggleFull());
    on(".pip", "click", () => this.togglePip());
    on(".seek", "input", (event) => (video.currentTime = Number(event.target.value)));
    on(".volume", "input", (event) => {
      video.volume = Number(event.target.value);
      video.muted = video.volume === 0;
    });
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => this.showPlaying());
    video.addEventListener("timeupdate", () => this.showTime());
    video.addEventListener("durationchange", () => this.showTime());
    video.addEventListener("volumechange", () => this.showVolume());
    let idle = null;
    const awake = () => {
      stage.dataset.idle = "false";
      clearTimeout(idle);
      idle = setTimeout(() => (stage.dataset.idle = String(!video.paused)), 2500);
    };
    for (const name of ["pointermove", "focusin", "keydown"]) stage.addEventListener(name, awake);
    const timer = setInterval(() => this.savePosition(), SAVE_INTERVAL_MS);
    const leaving = () => this.savePosition();
    for (const name of ["pause", "seeked"]) video.addEventListener(name, leaving);
    window.addEventListener("pagehide", leaving);
    this.stops.push(bindKeys(this), () => {
      clearTimeout(idle);
      clearInterval(timer);
      this.savePosition();
      window.removeEventListener("pagehide", leaving);
    });
  }

  /** Saves the playback position, once something was played. */
  savePosition() {
    const { currentTime, played } = this.video;
    if (played.length > 0 && currentTime !== this.savedTime) {
      this.savedTime = currentTime;
      api.saveProgress(this.id, currentTime);
    }
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  toggleMute() {
    this.video.muted = !this.video.muted;
  }

  toggleSubtitles() {
    toggleSubtitles(this.part(".subtitles select"));
  }

  toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.stage.requestFullscreen) this.stage.requestFullscreen().catch(() => {});
    else this.video.webkitEnterFullscreen?.();
  }

  togglePip() {
    if (document.pictureInPictureElement) document.exitPictureInPicture();
    else this.video.requestPictureInPicture().catch(() => {});
  }

  seekBy(seconds) {
    const end = Number.isFinite(this.video.duration) ? this.video.duration : Infinity;
    this.video.currentTime = Math.min(end, Math.max(0, this.video.currentTime + seconds));
  }

  showPlaying() {
    const paused = this.video.paused;
    icon(this.part(".play"), paused ? "play" : "pause");
    this.part(".play").setAttribute("aria-label", paused ? "Play (space)" : "Pause (space)");
    this.part(".big-play").hidden = !paused;
    if (paused) this.stage.dataset.idle = "false";
  }

  showTime() {
    const { currentTime, duration } = this.video;
    const total = Number.isFinite(duration) ? duration : this.film.duration ?? 0;
    const seek = this.part(".seek");
    seek.max = total;
    seek.value = currentTime;
    seek.style.setProperty("--done", total ? `${(100 * currentTime) / total}%` : "0%");
    seek.setAttribute("aria-valuetext", `${clock(currentTime)} of ${clock(total)}`);
    this.part(".now").textContent = clock(currentTime);
    this.part(".total").textContent = clock(Math.max(total, this.film.duration ?? 0));
  }

  showVolume() {
    const silent = this.video.muted || this.video.volume === 0;
    icon(this.part(".mute"), silent ? "mute" : "loud");
    this.part(".mute").setAttribute("aria-label", silent ? "Unmute (m)" : "Mute (m)");
    this.part(".volume").value = silent ? 0 : this.video.volume;
  }

  close() {
    this.stops.forEach((stop) => stop());
    this.video.removeAttribute("src");
    this.video.load();
  }
}
