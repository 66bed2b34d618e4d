// Menus for audio tracks and subtitles; the viewer's languages are remembered.

const AUDIO = "videoflix-audio";
const SUBTITLES = "videoflix-subtitles";

/** Fills the menus while the film is loaded; a menu with nothing to choose stays hidden. */
export function offerTracks(Hls, hls, audio, subtitles) {
  const { Events } = Hls;
  hls.on(Events.AUDIO_TRACKS_UPDATED, () => offerAudio(hls, audio));
  hls.on(Events.AUDIO_TRACK_SWITCHED, () => (audio.value = String(hls.audioTrack)));
  hls.on(Events.SUBTITLE_TRACKS_UPDATED, () => offerSubtitles(hls, subtitles));
}

/** Shows the subtitles that were last chosen, or hides them. */
export function toggleSubtitles(subtitles) {
  if (subtitles.parentElement.hidden) return;
  const shown = subtitles.value !== "-1";
  subtitles.value = shown ? "-1" : subtitles.dataset.last ?? subtitles.options[1].value;
  subtitles.dispatchEvent(new Event("change"));
}

function offerAudio(hls, select) {
  fill(select, hls.audioTracks.map((track, index) => [index, track.name]));
  select.parentElement.hidden = hls.audioTracks.length < 2;
  select.onchange = () => {
    hls.audioTrack = Number(select.value);
    remember(AUDIO, keyOf(hls.audioTracks[hls.audioTrack]));
  };
  const known = hls.audioTracks.findIndex((track) => keyOf(track) === recall(AUDIO));
  if (known >= 0) hls.audioTrack = known;
  select.value = String(hls.audioTrack);
}

function offerSubtitles(hls, select) {
  fill(select, [[-1, "Off"], ...hls.subtitleTracks.map((track, index) => [index, track.name])]);
  select.parentElement.hidden = hls.subtitleTracks.length === 0;
  const show = (index) => {
    hls.subtitleDisplay = index >= 0;
    hls.subtitleTrack = index;
    if (index >= 0) select.dataset.last = String(index);
  };
  select.onchange = () => {
    const index = Number(select.value);
    show(index);
    remember(SUBTITLES, index < 0 ? "" : keyOf(hls.subtitleTracks[index]));
  };
  const known = hls.subtitleTracks.findIndex((track) => keyOf(track) === recall(SUBTITLES));
  select.value = String(known);
  // hls.js turns all off when it has added its text tracks, so the choice is made after that.
  setTimeout(() => show(known));
}

function fill(select, entries) {
  const options = entries.map(([value, name]) => {
    const option = document.createElement("option");
    option.value = String(value);
    option.textContent = name;
    return option;
  });
  select.replaceChildren(...options);
}

/** What is the same in every film: the language, and whether it is described or a commentary. */
function keyOf(track) {
  return track.lang ? `${track.lang} ${track.attrs?.CHARACTERISTICS ?? ""}` : "";
}

function recall(name) {
  try {
    return localStorage.getItem(name) || null;
  } catch {
    return null; // storage is disabled
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // storage is disabled: the choice is for this film only
  }
}
