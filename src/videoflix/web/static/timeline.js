// The seek bar: previews of the storyboard, marks of the chapters, and their menu.

import * as api from "./api.js";
import { clock } from "./format.js";

// Width of the slider's handle in pixels, as in style.css: its middle marks the position.
const HANDLE = 15;
// Widest preview in pixels, on phones and else; thumbnails are larger, for screens of high density.
const PREVIEW = { phone: 116, other: 176 };
const PHONE = matchMedia("(max-width: 560px)");
const RETRY_MS = 20_000;

/** Where a share of the film is on the slider, as CSS. */
const placeOf = (share) => `calc(${HANDLE / 2}px + ${share} * (100% - ${HANDLE}px))`;

/** Wires the seek bar of the watch view; `seek` jumps to a time in seconds. */
export class Timeline {
  constructor(view, id, seek) {
    this.part = (selector) => view.querySelector(selector);
    this.slider = this.part(".seek");
    this.preview = this.part(".preview");
    this.menu = new ChapterMenu(view, seek);
    this.storyboard = new Storyboard(id);
    this.chapters = [];
    this.total = 0;
    this.slider.addEventListener("input", () => {
      seek(Number(this.slider.value));
      this.show(Number(this.slider.value));
    });
    const follow = (event) => this.show(this.timeAt(event.clientX));
    const hide = () => {
      this.preview.hidden = true;
      this.part(".stage").dataset.preview = "";
    };
    this.slider.addEventListener("pointermove", follow);
    this.slider.addEventListener("pointerdown", follow);
    for (const name of ["pointerleave", "pointercancel", "change", "blur"]) this.slider.addEventListener(name, hide);
    // A finger has no place where it hovers.
    this.slider.addEventListener("pointerup", (event) => event.pointerType === "mouse" || hide());
  }

  /** Shows the chapters of a film, and how long it is. */
  describe(film) {
    this.length = film.duration ?? 0;
    if (JSON.stringify(film.chapters) === JSON.stringify(this.chapters)) return;
    this.chapters = film.chapters ?? [];
    this.menu.fill(this.chapters);
    this.mark();
  }

  /** Shows the position of playback. */
  update(now, total) {
    this.slider.max = total;
    this.slider.value = now;
    this.slider.style.setProperty("--done", total ? placeOf(now / total) : "0%");
    const chapter = this.chapterAt(now);
    const place = `${clock(now)} of ${clock(total)}`;
    this.slider.setAttribute("aria-valuetext", chapter ? `${place}, ${chapter.title}` : place);
    this.menu.update(chapter);
    if (total !== this.total) {
      this.total = total;
      this.mark();
    }
  }

  mark() {
    const starts = this.total ? this.chapters.map(({ start }) => start).filter((start) => start > 0) : [];
    const marks = starts.filter((start) => start < this.total).map((start) => {
      const mark = document.createElement("i");
      mark.style.left = placeOf(start / this.total);
      return mark;
    });
    this.part(".marks").replaceChildren(...marks);
  }

  chapterAt(seconds) {
    return this.chapters.findLast(({ start, end }) => start <= seconds && seconds < end);
  }

  timeAt(x) {
    const { left, width } = this.slider.getBoundingClientRect();
    const share = (x - left - HANDLE / 2) / (width - HANDLE);
    return Math.min(1, Math.max(0, share)) * this.total;
  }

  /** Shows the preview above a time of the film. */
  show(seconds) {
    if (!this.total) return;
    const { preview } = this;
    preview.hidden = false;
    this.part(".stage").dataset.preview = "shown";
    this.part(".preview-time").textContent = clock(seconds);
    const chapter = this.chapterAt(seconds);
    this.part(".preview-chapter").textContent = chapter?.title ?? "";
    const place = HANDLE / 2 + (seconds / this.total) * (this.slider.clientWidth - HANDLE);
    this.shownAt = seconds;
    this.storyboard.load(() => preview.hidden || this.show(this.shownAt));
    const hasPicture = this.storyboard.paint(this.part(".thumbnail"), seconds);
    this.part(".thumbnail").hidden = !hasPicture;
    const half = preview.offsetWidth / 2;
    preview.style.left = `${Math.min(this.slider.clientWidth - half, Math.max(half, place))}px`;
  }

  close() {
    this.menu.close();
  }
}

/** The thumbnails of a film: a sheet, and a WebVTT file that says where on it each one is. */
class Storyboard {
  constructor(id) {
    this.id = id;
    this.cues = [];
    this.triedAt = -Infinity;
  }

  /** Loads it once, and calls `onLoaded` then; it may not be made yet. */
  async load(onLoaded) {
    if (this.cues.length > 0 || performance.now() - this.triedAt < RETRY_MS) return;
    this.triedAt = performance.now();
    try {
      const { storyboard_url: url } = await api.files(this.id);
      if (!url) return;
      const response = await fetch(url);
      if (!response.ok) return;
      const cues = parse(await response.text(), new URL(url, location.href));
      this.sheet = new Image();
      this.sheet.src = cues[0]?.url ?? "";
      await this.sheet.decode();
      this.cues = cues;
      if (cues.length > 0) onLoaded();
    } catch {
      // The preview shows the time only.
    }
  }

  /** Paints the thumbnail of a time; false if there is none. */
  paint(element, seconds) {
    const cue = this.cues.findLast(({ start }) => start <= seconds);
    if (!cue) return false;
    const [x, y, width, height] = cue.place;
    const scale = Math.min(1, (PHONE.matches ? PREVIEW.phone : PREVIEW.other) / width);
    element.style.width = `${width * scale}px`;
    element.style.height = `${height * scale}px`;
    element.style.backgroundImage = `url("${cue.url}")`;
    element.style.backgroundSize = `${this.sheet.naturalWidth * scale}px auto`;
    element.style.backgroundPosition = `${-x * scale}px ${-y * scale}px`;
    return true;
  }
}

/** Start, URL and place on the sheet of each cue. */
function parse(text, base) {
  return [...text.matchAll(/^([\d:.]+) --> .*\n(.+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm)].map((found) => ({
    start: found[1].split(":").reduce((sum, part) => sum * 60 + Number(part), 0),
    url: new URL(found[2], base).href,
    place: found.slice(3).map(Number),
  }));
}

/** The menu of chapters; its button names the present one. */
class ChapterMenu {
  constructor(view, seek) {
    this.button = view.querySelector(".chapter-button");
    this.list = view.querySelector(".chapter-list");
    this.stage = view.querySelector(".stage");
    this.seek = seek;
    this.button.addEventListener("click", () => this.toggle(this.list.hidden));
    this.outside = (event) => event.target.closest(".chapter-list, .chapter-button") || this.toggle(false);
    this.escape = (event) => {
      if (event.key !== "Escape" || this.list.hidden) return;
      event.stopPropagation();
      this.toggle(false);
      this.button.focus();
    };
    document.addEventListener("pointerdown", this.outside);
    this.stage.addEventListener("keydown", this.escape);
  }

  fill(chapters) {
    this.button.hidden = chapters.length === 0;
    this.entries = new Map();
    this.list.replaceChildren(...chapters.map((chapter) => {
      const [item, entry, time, title] = ["li", "button", "span", "span"].map((name) => document.createElement(name));
      entry.type = "button";
      time.textContent = clock(chapter.start);
      title.textContent = chapter.title;
      entry.append(time, title);
      entry.addEventListener("click", () => {
        this.seek(chapter.start);
        this.toggle(false);
        this.button.focus();
      });
      item.append(entry);
      this.entries.set(chapter, entry);
      return item;
    }));
    if (chapters.length === 0) this.toggle(false);
  }

  /** Names the present chapter. */
  update(chapter) {
    if (this.current === chapter && this.button.textContent) return;
    this.current = chapter;
    this.button.textContent = chapter?.title ?? "Chapters";
    this.button.setAttribute("aria-label", chapter ? `Chapters, now: ${chapter.title}` : "Chapters");
    for (const [one, entry] of this.entries ?? []) entry.ariaCurrent = one === chapter ? "true" : null;
  }

  toggle(isOpen) {
    this.list.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    this.stage.dataset.menu = isOpen ? "open" : "";
    if (isOpen) (this.entries.get(this.current) ?? this.list.querySelector("button"))?.focus();
  }

  close() {
    document.removeEventListener("pointerdown", this.outside);
  }
}
