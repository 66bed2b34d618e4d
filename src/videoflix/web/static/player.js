// The player: its controls, and when a stream is taken and given back.

import * as api from "./api.js";
import { clock, stateOf } from "./format.js";
import { Lease } from "./lease.js";
import { bindKeys } from "./shortcuts.js";
import { Source, loadHls } from "./source.js";
import { Timeline } from "./timeline.js";
import { offerTracks, toggleSubtitles } from "./tracks.js";
import { Veil } from "./veil.js";

// How often the playback position is saved.
const SAVE_INTERVAL_MS = 10_000;
// After a shorter pause, the stream is still ours.
const LONG_PAUSE_MS = 60_000;

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
    this.invited = false;
    this.timeline = new Timeline(view, film.id, (seconds) => this.seekTo(seconds));
    this.stops = [() => this.timeline.close()];
    this.veil = new Veil(view.querySelector(".veil"));
    this.lease = new Lease(film.id, this.video, () => this.onStreamEnded());
    this.wire();
  }

  part(selector) {
    return this.view.querySelector(selector);
  }

  describe(film) {
    this.film = film;
    this.timeline.describe(film);
    document.title = `${film.title} · Videoflix`;
    this.part(".about h1").textContent = film.title;
    this.part(".description").textContent = film.description;
    const facts = [film.duration ? clock(film.duration) : "", film.qualities[0] ?? "", stateOf(film)];
    this.part(".facts").textContent = facts.filter(Boolean).join(" · ");
    if (film.poster_url) this.video.poster = film.poster_url;
    if (film.state === "failed") this.veil.show(film.failure?.reason ?? "This film could not be encoded.");
    else if (!film.playable) this.veil.show(stateOf(film), { progress: film.progress });
    else if (!this.invited) this.invite();
  }

  follow() {
    if (this.film.state === "processing") this.stops.push(api.follow(this.id, (film) => this.describe(film)));
  }

  /** Offers to play: until then, nothing but the poster is fetched, and no stream is taken. */
  invite() {
    this.invited = true;
    this.veil.lift();
    this.part(".big-play").hidden = false;
    this.showTime();
    loadHls();
  }

  /** Takes a stream and plays, from where the viewer stopped or from `at`. */
  async begin(at = null) {
    if (this.isBeginning) return;
    this.isBeginning = true;
    this.part(".big-play").hidden = true;
    this.veil.show("Loading …");
    this.detach();
    this.video.load(); // iOS allows playing later only for what was touched during the tap
    try {
      const [url, Hls, position] = await Promise.all([this.lease.take(), loadHls(), api.progress(this.id)]);
      if (this.isClosed) return this.lease.giveBack();
      const start = at ?? (position.finished ? 0 : position.seconds);
      this.source = new Source(this.video, (text) => this.interrupt(text));
      this.source.open(Hls, url, start);
      if (this.source.hls) this.offerChoices(Hls, this.source.hls);
      this.veil.lift();
      await this.video.play().catch(() => this.showPlaying());
    } catch (problem) {
      this.lease.giveBack();
      const text = problem.streams?.length
        ? `You are watching on ${problem.streams.length === 1 ? "another device" : `${problem.streams.length} devices`} already, as many as your plan allows.`
        : problem.message;
      this.veil.show(text, {
        streams: problem.streams,
        onStopped: () => this.begin(at),
        retry: problem.streams?.length ? "" : "Try again",
      });
    } finally {
      this.isBeginning = false;
    }
  }

  /** Ends playback with a message; the viewer may continue from here. */
  interrupt(text) {
    if (this.video.readyState > 0) this.resumeAt = this.video.currentTime;
    this.savePosition();
    this.detach();
    this.lease.giveBack();
    this.veil.show(text, { retry: "Watch here" });
  }

  onStreamEnded() {
    if (this.video.paused) this.resumeAt = this.video.currentTime; // a new one is taken on playing
    else this.interrupt("This stream has ended: it was stopped elsewhere, or paused for long.");
  }

  /** After a long pause the stream may have expired: take another one, unseen. */
  async resume() {
    const isLong = Date.now() - (this.pausedAt ?? Date.now()) > LONG_PAUSE_MS;
    if (isLong) await this.lease.beat();
    if (this.lease.id === null && this.source) return this.begin(this.video.currentTime);
    return this.video.play().catch(() => {});
  }

  detach() {
    this.source?.close();
    this.source = null;
  }

  offerChoices(Hls, hls) {
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.offerQualities(hls));
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, data) => this.nameLevel(hls, data.level));
    offerTracks(Hls, hls, this.part(".audio select"), this.part(".subtitles select"));
  }

  offerQualities(hls) {
    const select = this.part(".quality select");
    const levels = hls.levels.map((level, index) => ({ index, height: Math.min(level.height, level.width) }));
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
      hls.currentLevel = Number(select.value); // immediately, without playing out the buffer
    };
  }

  nameLevel(hls, level) {
    const { height, width } = hls.levels[level];
    const auto = this.part(".quality option[value='-1']");
    if (auto) auto.textContent = hls.autoLevelEnabled ? `Auto (${Math.min(height, width)}p)` : "Auto";
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
    on(".retry", "click", () => this.begin(this.resumeAt));
    video.addEventListener("click", () => this.toggle());
    on(".mute", "click", () => this.toggleMute());
    on(".full", "click", () => this.toggleFull());
    on(".pip", "click", () => this.togglePip());
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
    const save = () => this.savePosition();
    for (const name of ["pause", "seeked"]) video.addEventListener(name, save);
    video.addEventListener("pause", () => (this.pausedAt = Date.now()));
    const leaving = () => {
      save();
      video.pause();
      this.lease.giveBack();
    };
    window.addEventListener("pagehide", leaving);
    this.stops.push(bindKeys(this), () => {
      clearTimeout(idle);
      clearInterval(timer);
      leaving();
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
    if (!this.film.playable) return;
    if (!this.source) this.begin(this.resumeAt);
    else if (this.video.paused) this.resume();
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

  /** Goes to a time; a film that was not begun begins there. */
  seekTo(seconds) {
    if (this.source) this.video.currentTime = seconds;
    else this.begin(seconds);
  }

  seekBy(seconds) {
    if (!this.source) return;
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
    this.timeline.update(currentTime, total);
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
    this.isClosed = true;
    this.stops.forEach((stop) => stop());
    this.detach();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
