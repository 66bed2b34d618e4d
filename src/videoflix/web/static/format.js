// Times and states as text.

export function clock(seconds) {
  if (!Number.isFinite(seconds)) return "0:00";
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

export function stateOf(film) {
  if (film.state === "failed") return film.failure?.reason ?? "This film could not be encoded.";
  if (film.stalled) return `Waiting: ${film.stalled.reason}`;
  if (film.state === "ready") return film.replacement_failure ? `The new file failed: ${film.replacement_failure.reason}` : "";
  const share = `${Math.round(film.progress * 100)} %`;
  if (film.playable) return `Ready to watch · still encoding (${share})`;
  return film.progress > 0 ? `Encoding ${share}` : "Checking the file …";
}

export function ago(time) {
  const seconds = (Date.now() - new Date(time)) / 1000;
  const steps = [[60, "second"], [60, "minute"], [24, "hour"], [365, "day"]];
  let value = seconds;
  for (const [size, unit] of steps) {
    if (value < size) return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(value), unit);
    value /= size;
  }
  return new Date(time).toLocaleDateString();
}
