// Titles, categories, uploaded files, votes.

import * as api from "../api.js";
import { clock, stateOf } from "../format.js";
import { button, bytes, el, exactly, link, pill, when } from "./dom.js";
import { ask, sure } from "./form.js";
import { choosePoster } from "./posters.js";
import { personLink } from "./users.js";
import { openTable } from "./table.js";

const PUBLICATIONS = { published: "good", scheduled: "busy", draft: "", deleted: "bad" };
const STATES = { ready: "good", processing: "busy", encoding: "busy", uploaded: "", stalled: "bad", failed: "bad" };
const AUDIENCES = [["everyone", "everyone"], ["members", "members"], ["private", "editors only"]];
const same = (values) => values.map((value) => [value, value]);

const describe = (film, categories) => ask({
  title: `Edit “${film.title}”`,
  changes: true,
  fields: [
    { name: "title", label: "Title", required: true, maxLength: 200, value: film.title, wide: true },
    { name: "description", label: "Description", type: "textarea", value: film.description, maxLength: 10000, wide: true },
    { name: "genre", label: "Genre", value: film.genre, maxLength: 50 },
    { name: "author", label: "Author", value: film.author, maxLength: 150 },
    { name: "language", label: "Language", value: film.language, maxLength: 5, placeholder: "en" },
    { name: "release_year", label: "Year", type: "number", min: 1870, max: 2200, empty: null, value: film.release_year },
    { name: "age_rating", label: "Age rating", type: "number", min: 0, max: 21, value: film.age_rating, required: true },
    { name: "audience", label: "Audience", type: "select", options: AUDIENCES, value: film.audience },
    { name: "tags", label: "Tags", type: "list", value: film.tags, hint: "Separate with commas", wide: true },
    { name: "categories", label: "Categories", type: "many", value: film.categories.map(({ id }) => id), options: categories.map(({ id, name }) => [id, name]), wide: true },
    { name: "featured", label: "Featured on the home page", type: "checkbox", value: film.featured },
  ],
  send: (body) => api.ask("PATCH", `/videos/${film.id}`, body),
});

const publish = (film) => ask({
  title: `Publish “${film.title}”`,
  button: "Publish",
  fields: [{ name: "publish_at", label: "When", type: "moment", omit: true, hint: "Leave empty to publish now", wide: true }],
  send: (body) => api.ask("POST", `/videos/${film.id}/publish`, body),
});

function titleActions(film, refresh, context) {
  const change = (method, path) => context.guarded(async () => {
    await api.ask(method, `/videos/${film.id}${path}`);
    await refresh();
  });
  if (film.publication === "deleted") {
    return [
      button("Restore", () => change("POST", "/restore")),
      button("Delete permanently", async () => {
        if (await sure("Delete this film permanently?", `“${film.title}” and all its files will be deleted.`, "Delete permanently")) await change("DELETE", "?permanently=true");
      }),
    ];
  }
  const edit = button("Edit", () => context.guarded(async () => {
    const [whole, categories] = await Promise.all([api.video(film.id), api.ask("GET", "/categories")]);
    if (await describe(whole, categories)) await refresh();
  }));
  const picture = button("Poster", () => context.guarded(async () => {
    if (await choosePoster(film)) await refresh();
  }));
  const show = film.publication === "draft"
    ? button("Publish", async () => { if (await publish(film)) await refresh(); })
    : button("Unpublish", () => change("POST", "/unpublish"));
  const remove = button("Delete", async () => {
    if (await sure("Delete this film?", `“${film.title}” will no longer be visible. You can restore it for 30 days.`, "Delete")) await change("DELETE", "");
  });
  remove.setAttribute("aria-label", `Delete ${film.title}`);
  const again = film.failure || film.stalled || film.replacement_failure ? [button("Retry", () => change("POST", "/retry"))] : [];
  return [...again, edit, picture, show, remove];
}

const poster = (film) => (film.poster_url ? el("img", { src: film.poster_url, srcset: film.poster_srcset, sizes: "64px", alt: "", loading: "lazy", className: "thumb" }) : el("span", { className: "thumb" }));

export function openTitles(view, context) {
  openTable(view, {
    title: "Titles",
    path: "/videos",
    search: "Search titles, people, tags",
    empty: "No films found.",
    filters: [
      { name: "publication", label: "Publication", options: same(Object.keys(PUBLICATIONS)) },
      { name: "state", label: "File", options: same(["processing", "ready", "failed"]) },
    ],
    columns: [
      { label: "Title", cell: (film) => el("span", { className: "with-thumb" }, poster(film), link(`/#/watch/${film.id}`, film.title)) },
      { label: "Publication", cell: (film) => [pill(film.publication, PUBLICATIONS[film.publication]), film.featured ? pill("featured", "busy") : ""] },
      { label: "File", cell: (film) => el("span", { className: film.failure || film.stalled || film.replacement_failure ? "failed" : "" }, stateOf(film) || `${clock(film.duration)}, ${film.qualities[0] ?? ""}`) },
      { label: "Views", right: true, cell: (film) => film.views.toLocaleString("en") },
      { label: "Added", cell: (film) => when(film.created_at) },
    ],
    actions: titleActions,
  }, context);
}

const categoryFields = (category = {}) => [
  { name: "name", label: "Name", required: true, maxLength: 100, value: category.name, wide: true },
  { name: "slug", label: "Slug", maxLength: 100, pattern: "[a-z0-9\\-]*", omit: true, value: category.slug, hint: "Leave empty to use the name" },
  { name: "position", label: "Position", type: "number", min: 0, omit: true, value: category.position },
];

async function removeCategory(category, refresh, context) {
  const others = (await api.ask("GET", "/categories")).filter(({ id }) => id !== category.id);
  const sent = await ask({
    title: `Delete “${category.name}”?`,
    button: "Delete",
    fields: [{ name: "move_to", label: "Move its films to", type: "select", omit: true, options: [["", "none (only if it has no films)"], ...others.map(({ slug, name }) => [slug, name])], value: "", wide: true }],
    send: (body) => api.ask("DELETE", `/categories/${category.id}${body.move_to ? `?move_to=${body.move_to}` : ""}`),
  });
  if (sent) await refresh();
}

export function openCategories(view, context) {
  openTable(view, {
    title: "Categories",
    path: "/categories",
    empty: "No categories yet.",
    columns: [
      { label: "Name", cell: (category) => category.name },
      { label: "Slug", cell: (category) => el("code", {}, category.slug) },
      { label: "Position", right: true, cell: (category) => category.position },
    ],
    actions: (category, refresh) => [
      button("Edit", async () => {
        const sent = await ask({
          title: `Edit “${category.name}”`, changes: true, fields: categoryFields(category),
          send: (body) => api.ask("PATCH", `/categories/${category.id}`, body),
        });
        if (sent) await refresh();
      }),
      button("Delete", () => context.guarded(() => removeCategory(category, refresh, context))),
    ],
    add: {
      label: "Add category",
      open: () => ask({ title: "Add category", button: "Add", fields: categoryFields(), send: (body) => api.ask("POST", "/categories", body) }),
    },
  }, context);
}

/** Why a file failed or is stalled, and how long it is kept. */
function reasonOf(asset) {
  const problem = asset.failure ?? asset.stalled;
  if (!problem) return "–";
  if (asset.source_removed_at) return `${problem.reason} The file was deleted.`;
  if (asset.source_expires_at) return `${problem.reason} The file is kept until ${new Date(asset.source_expires_at).toLocaleString("en")}.`;
  return problem.reason;
}

export function openAssets(view, context) {
  openTable(view, {
    title: "Files",
    hint: "Uploaded files and their encoding progress.",
    path: "/assets",
    filters: [{ name: "state", label: "State", options: same(["uploaded", "encoding", "stalled", "ready", "failed"]) }],
    columns: [
      { label: "Film", cell: (asset) => link(`/#/watch/${asset.video_id}`, asset.title) },
      { label: "File", cell: (asset) => el("span", { className: "long", title: `SHA-256 ${asset.source_sha256}` }, asset.source_name) },
      { label: "Size", right: true, cell: (asset) => bytes(asset.source_bytes) },
      { label: "State", cell: (asset) => pill(asset.state === "encoding" ? `${Math.round(asset.encoded * 100)} %` : asset.state, STATES[asset.state]) },
      { label: "Reason", cell: (asset) => el("span", { className: "long" }, reasonOf(asset)) },
      { label: "Renditions", cell: (asset) => asset.renditions.join(", ") || "–" },
      { label: "Uploaded", cell: (asset) => exactly(asset.created_at) },
    ],
    actions: (asset, refresh) => (["failed", "stalled"].includes(asset.state) && !asset.source_removed_at
      ? [button("Retry", () => context.guarded(async () => {
        await api.ask("POST", `/videos/${asset.video_id}/retry`);
        await refresh();
      }))]
      : []),
  }, context);
}

export function openVotes(view, context) {
  openTable(view, {
    title: "Votes",
    path: "/votes",
    empty: "No votes yet.",
    filters: [
      { name: "video_id", label: "Film ID", type: "number" },
      { name: "user_id", label: "User ID", type: "number" },
    ],
    columns: [
      { label: "Film", cell: (vote) => link(`/#/watch/${vote.video_id}`, vote.title) },
      { label: "Vote", cell: (vote) => (vote.vote === "up" ? pill("▲ up", "good") : pill("▼ down", "bad")) },
      { label: "User", cell: (vote) => personLink(vote.user_id, vote.owner) },
      { label: "Profile", cell: (vote) => vote.profile },
      { label: "When", cell: (vote) => when(vote.at) },
    ],
    actions: (vote, refresh) => [button("Delete", async () => {
      if (!await sure("Delete this vote?", "It will no longer be counted. The profile can vote again.", "Delete")) return;
      await context.guarded(() => api.ask("DELETE", `/votes/${vote.id}`));
      await refresh();
    })],
  }, context);
}
