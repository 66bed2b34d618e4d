// Where the picture comes from: hls.js if the browser has Media Source Extensions, else native HLS.

// Failed requests in a row before playback is interrupted; the waits between them double.
const FAILURES_MAX = 4;
const FIRST_WAIT_MS = 500;

/** Loads hls.js once; it is a classic script that sets `window.Hls`. */
let loading = null;
export function loadHls() {
  loading ??= new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = "/assets/vendor/hls.js-1.7.4/hls.min.js";
    script.onload = () => resolve(window.Hls);
    script.onerror = () => resolve(null);
    document.head.append(script);
  });
  return loading;
}

export class Source {
  /** Calls `onInterrupted` with a sentence when the film cannot go on. */
  constructor(video, onInterrupted) {
    this.video = video;
    this.onInterrupted = onInterrupted;
    this.failures = 0;
    this.hls = null;
  }

  open(Hls, url, begin) {
    if (Hls?.isSupported()) this.attach(Hls, url, begin);
    else this.openNatively(url, begin);
  }

  /** iPhone: no Media Source Extensions, but native HLS. */
  openNatively(url, begin) {
    this.video.src = url;
    this.video.addEventListener("loadedmetadata", () => (this.video.currentTime = begin), { once: true });
    this.video.addEventListener("error", () => this.onInterrupted("This film can't be played. Try again."), { once: true });
  }

  attach(Hls, url, begin) {
    this.hls = new Hls({
      enableWorker: false,
      startPosition: begin,
      backBufferLength: 60,
      maxMaxBufferLength: 60, // seconds ahead: what is not watched is not paid for
      capLevelToPlayerSize: true,
    });
    this.hls.on(Hls.Events.FRAG_LOADED, () => (this.failures = 0));
    this.hls.on(Hls.Events.ERROR, (_, data) => data.fatal && this.recover(Hls, data));
    this.hls.loadSource(url);
    this.hls.attachMedia(this.video);
  }

  recover(Hls, data) {
    const status = data.response?.code ?? 0;
    this.failures += 1;
    if (status === 410) this.onInterrupted("This stream has ended: it was stopped elsewhere, or paused for long.");
    else if (status >= 400 && status < 500) this.onInterrupted("This film can't be played any more. Open it again.");
    else if (this.failures > FAILURES_MAX) this.onInterrupted("We can't reach the server. Check your connection.");
    else if (data.type === Hls.ErrorTypes.NETWORK_ERROR) this.reload(data);
    else if (data.type === Hls.ErrorTypes.MEDIA_ERROR) this.hls.recoverMediaError();
    else this.onInterrupted("We can't play this film on this device.");
  }

  reload({ details, url }) {
    setTimeout(() => {
      if (details.startsWith("manifest")) this.hls?.loadSource(url);
      else this.hls?.startLoad();
    }, FIRST_WAIT_MS * 2 ** this.failures);
  }

  close() {
    this.hls?.destroy();
    this.hls = null;
  }
}
