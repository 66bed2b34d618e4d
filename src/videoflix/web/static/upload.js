// The upload dialog: choose or drop a file, with progress.

import { upload } from "./api.js";

const dialog = document.getElementById("upload");
const form = dialog.querySelector("form");
const file = form.elements.namedItem("file");
const title = form.elements.namedItem("title");
const drop = form.querySelector(".drop");
const bar = form.querySelector("progress");
const status = form.querySelector(".status");
const error = form.querySelector(".error");
const submit = form.querySelector("[type=submit]");
const cancel = form.querySelector("[value=cancel]");
const question = form.querySelector(".stop-question");
let running = null;

export function openUpload() {
  reset();
  dialog.showModal();
}

function reset() {
  form.reset();
  drop.querySelector(".drop-text").textContent = "Choose a video file, or drop it here";
  bar.hidden = true;
  error.hidden = true;
  status.textContent = "";
  submit.disabled = false;
  keepUploading();
}

function keepUploading() {
  question.hidden = true;
  cancel.textContent = "Cancel";
}

function chosen() {
  const [picked] = file.files;
  if (!picked) return;
  const megabytes = (picked.size / 1e6).toFixed(picked.size < 1e7 ? 1 : 0);
  drop.querySelector(".drop-text").textContent = `${picked.name} · ${megabytes} MB`;
  if (!title.value) {
    title.value = picked.name.replace(/\.[^.]+$/, "").replace(/[_.]+/g, " ").trim().slice(0, 200);
  }
}

async function send() {
  error.hidden = true;
  bar.hidden = false;
  bar.value = 0;
  submit.disabled = true;
  const body = new FormData(); // fields first, so that an invalid title is rejected before the file is sent
  body.append("title", title.value);
  body.append("description", form.elements.namedItem("description").value);
  body.append("file", file.files[0]);
  running = upload(body, (share) => {
    bar.value = share;
    status.textContent = share < 1 ? `${Math.round(share * 100)} % uploaded` : "Saving …";
  });
  try {
    const film = await running.done;
    dialog.close();
    document.dispatchEvent(new CustomEvent("uploaded", { detail: film }));
  } catch (problem) {
    error.textContent = problem.message;
    error.hidden = false;
    bar.hidden = true;
    status.textContent = "";
  } finally {
    running = null;
    keepUploading();
    submit.disabled = false;
  }
}

file.addEventListener("change", chosen);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});

/** Closes the dialog; a running upload is stopped only when asked twice. */
function leave(event) {
  event.preventDefault();
  if (running && question.hidden) {
    question.hidden = false;
    cancel.textContent = "Stop it";
    return;
  }
  running?.abort();
  dialog.close();
}

cancel.addEventListener("click", leave);
dialog.addEventListener("cancel", leave); // the Escape key
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) {
    file.files = event.dataTransfer.files;
    chosen();
  }
});
