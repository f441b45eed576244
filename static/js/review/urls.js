// What the page knows about its campaign, and the addresses of the API.

import { $ } from "./dom.js";

const given = $("review").dataset;
const read = (id) => JSON.parse($(id)?.textContent ?? "null");

export const csrf = given.csrf;
export const settings = {
  done: given.done,
  worker: given.worker,
  scope: given.scope,
  editMinutes: given.edit === "" ? null : Number(given.edit), // null until the close, 0 never
  instructions: read("campaign-instructions"),
  editing: new URLSearchParams(location.search).get("edit"), // the token of a rated pair to change first
};

const of = (token, what) => given.assignment.replace("TOKEN", token) + what;

export const url = {
  next: (after) => (after ? `${given.next}?after=${after}` : given.next),
  resume: () => `${given.next}?resume=1`,
  rating: (token, after) => `${of(token, "rating")}?next=1${after ? `&after=${after}` : ""}`,
  revisions: (token) => of(token, "revisions"),
  draft: (token) => of(token, "draft"),
  skip: (token) => of(token, "skip"),
  problem: (token) => of(token, "problem"),
  practice: () => given.practice,
};
