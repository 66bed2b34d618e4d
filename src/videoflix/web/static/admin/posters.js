// The dialog for the poster of a title: a frame of the film, a picture, or the automatic one.

import * as api from "../api.js";
import { clock } from "../format.js";
import { button, el } from "./dom.js";
import { close, show } from "./form.js";

const FORMATS = "image/jpeg,image/png,image/webp,image/avif";

/** Opens the dialog; resolves to whether the poster was changed. */
export async function choosePoster(film) {
  const path = `/videos/${film.id}/poster`;
  const candidates = await api.ask("GET", `${path}/candidates`);
  const error = el("p", { className: "error", role: "alert", hidden: true });
  let isChanged = false;
  const apply = async (method, subPath, body) => {
    error.hidden = true;
    try {
      await api.ask(method, `${path}${subPath}`, body);
      isChanged = true;
      close();
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
    }
  };
  const stills = candidates.map(({ number, seconds, url }) => el(
    "button", { type: "button", className: "still", onclick: () => apply("PUT", "/candidate", { number }) },
    el("img", { src: url, alt: `Frame at ${clock(seconds)}` }),
    el("span", {}, clock(seconds)),
  ));
  const upload = (event) => {
    const form = new FormData();
    form.append("data", event.target.files[0]);
    return apply("PUT", "", form);
  };
  await show(
    `Poster of “${film.title}”`,
    stills.length > 0 ? el("div", { className: "stills" }, stills) : el("p", { className: "hint" }, "There are no frames to choose from yet."),
    el("label", {}, "Or upload a picture (JPEG, PNG, WebP or AVIF, at most 10 MiB)", el("input", { type: "file", accept: FORMATS, onchange: upload })),
    error,
    button("Use the automatic poster", () => apply("DELETE", "")),
  );
  return isChanged;
}
