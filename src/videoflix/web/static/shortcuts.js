// Keyboard shortcuts of the player.

const STEP = 5;
const LEAP = 10;

/** Binds the keys; returns a function that unbinds them. */
export function bindKeys(player) {
  const actions = {
    " ": () => player.toggle(),
    k: () => player.toggle(),
    m: () => player.toggleMute(),
    c: () => player.toggleSubtitles(),
    f: () => player.toggleFull(),
    j: () => player.seekBy(-LEAP),
    l: () => player.seekBy(LEAP),
    ArrowLeft: () => player.seekBy(-STEP),
    ArrowRight: () => player.seekBy(STEP),
    ArrowUp: () => (player.video.volume = Math.min(1, player.video.volume + 0.1)),
    ArrowDown: () => (player.video.volume = Math.max(0, player.video.volume - 0.1)),
    Home: () => (player.video.currentTime = 0),
  };
  const press = (event) => {
    const isTyping = event.target.closest("input:not([type=range]), textarea, dialog, [contenteditable]");
    const onButton = event.target.closest("button, a") && event.key === " ";
    const onVolume = event.target.closest(".volume") && event.key.startsWith("Arrow");
    const onMenu = event.target.closest("select") && /^(Arrow|Home| )/.test(event.key);
    const action = actions[event.key];
    if (!action || isTyping || onButton || onVolume || onMenu || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  };
  document.addEventListener("keydown", press);
  return () => document.removeEventListener("keydown", press);
}
