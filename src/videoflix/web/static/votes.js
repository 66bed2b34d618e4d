// Watchlist and vote buttons.

import * as api from "./api.js";

/** Runs the action of a button; tells on the page why it failed. */
async function tried(view, action) {
  const error = view.querySelector(".opinion-error");
  error.hidden = true;
  try {
    await action();
  } catch (problem) {
    error.textContent = problem.message;
    error.hidden = false;
  }
}

/** Shows whether the film is on the list and the vote, and binds the buttons. */
export async function openVotes(view, film) {
  const [listed, vote] = await Promise.all([api.isListed(film.id), api.vote(film.id)]);
  const list = view.querySelector(".list");
  showListed(list, listed);
  list.addEventListener("click", () => tried(view, async () => {
    const wanted = list.getAttribute("aria-pressed") !== "true";
    await (wanted ? api.list(film.id) : api.unlist(film.id));
    showListed(list, wanted);
  }));
  showVotes(view, vote);
  for (const side of ["up", "down"]) {
    const button = view.querySelector(`.${side}`);
    button.addEventListener("click", () => tried(view, async () => {
      const cast = button.getAttribute("aria-pressed") === "true" ? null : side;
      showVotes(view, await api.castVote(film.id, cast));
    }));
  }
}

function showListed(button, listed) {
  button.setAttribute("aria-pressed", String(listed));
  button.textContent = listed ? "On my list" : "Add to my list";
}

function showVotes(view, { vote, upvotes, downvotes }) {
  for (const [side, count] of [["up", upvotes], ["down", downvotes]]) {
    const button = view.querySelector(`.${side}`);
    button.setAttribute("aria-pressed", String(vote === side));
    button.querySelector("span").textContent = count;
  }
}
