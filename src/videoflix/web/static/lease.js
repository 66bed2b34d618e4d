// The lease of a stream: taken when playing begins, kept while it plays, given back on leaving.

import * as api from "./api.js";

const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["Linux", "Linux"]];

/** A name that people recognize among their devices, such as “Firefox on Linux”. */
function deviceName() {
  const known = (names) => names.find(([mark]) => navigator.userAgent.includes(mark))?.[1];
  return `${known(BROWSERS) ?? "Browser"} on ${known(SYSTEMS) ?? "a device"}`;
}

export class Lease {
  /** Calls `onEnded` when the stream was stopped elsewhere, or expired during a pause. */
  constructor(film, video, onEnded) {
    this.film = film;
    this.video = video;
    this.onEnded = onEnded;
    this.id = null;
  }

  /** Takes a stream; returns the URL to play. Throws Refused with the running streams at the limit. */
  async take() {
    const { id, heartbeat_seconds, playback } = await api.startStream(this.film, deviceName());
    this.id = id;
    this.timer = setInterval(() => this.video.paused || this.beat(), heartbeat_seconds * 1000);
    return playback.master_url;
  }

  /** Extends the stream. A lost connection is no reason to stop: fetching segments extends it, too. */
  async beat() {
    const id = this.id;
    if (id === null) return;
    try {
      await api.heartbeat(id);
    } catch (problem) {
      if ([404, 410].includes(problem.status) && id === this.id) {
        this.forget();
        this.onEnded();
      }
    }
  }

  /** Gives the stream back; also while the page is being closed. */
  giveBack() {
    if (this.id !== null) api.stopStream(this.id);
    this.forget();
  }

  forget() {
    clearInterval(this.timer);
    this.id = null;
  }
}
