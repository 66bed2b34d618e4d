// What covers the picture while it cannot play: a text, progress, running streams, a button.

import * as api from "./api.js";

export class Veil {
  constructor(element) {
    this.element = element;
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  lift() {
    this.element.hidden = true;
  }

  /** Calls `onStopped` after one of the running `streams` was stopped; `retry` names the button. */
  show(text, { progress = null, streams = [], onStopped = null, retry = "" } = {}) {
    this.element.hidden = false;
    this.part(".veil-text").textContent = text;
    const bar = this.part("progress");
    bar.hidden = progress === null;
    bar.value = progress ?? 0;
    const running = this.part(".running");
    running.hidden = streams.length === 0;
    running.replaceChildren(...streams.map((stream) => runningStream(stream, onStopped)));
    const button = this.part(".retry");
    button.hidden = !retry;
    button.textContent = retry;
  }
}

/** A stream at the plan's limit, and the way to watch here instead. */
function runningStream({ id, device, title, since }, onStopped) {
  const item = document.createElement("li");
  const text = document.createElement("span");
  const at = new Date(since).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  text.textContent = [title || "A film", device || "another device", `since ${at}`].join(" · ");
  const stop = document.createElement("button");
  stop.className = "button accent";
  stop.type = "button";
  stop.textContent = "Stop and watch here";
  stop.addEventListener("click", async () => {
    await api.stopStream(id);
    onStopped();
  });
  item.append(text, stop);
  return item;
}
