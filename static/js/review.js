// The review screen: show a pair, keep a draft while it is rated, send the rating once, have the next pair ready.

import { Clock } from "./review/clock.js";
import { $, el, prose, word, written } from "./review/dom.js";
import { openEditor } from "./review/edit.js";
import * as form from "./review/form.js";
import { listen } from "./review/keys.js";
import { Post } from "./review/post.js";
import { Retry, send, worthRetrying } from "./review/net.js";
import { practise } from "./review/practice.js";
import { openRemarks } from "./review/remarks.js";
import { button, clearNotice, complain, notice, panel, say, shows } from "./review/said.js";
import { choices, drafts, lasting, outbox } from "./review/store.js";
import { showPrompt, showResponses } from "./review/texts.js";
import { csrf, settings, url } from "./review/urls.js";

const BLOCK = 10;
const BREAK = 20;
const DRAFT_AFTER = 20_000;
const DOUBLE = 600; // a second click that belonged to the pair before
const LATE = ["lease_expired_full", "cap_reached"]; // not counted, but the pair may come back to them: its draft stays
const OVER = [...LATE, "already_rated", "unknown_assignment", "skipped"];
const clock = new Clock();
const retry = new Retry();
const post = new Post({ settle, waiting: countUnsent, follows: () => pair });
const editor = openEditor({ back: (shown) => show(shown, "") });
let pair = null; // what is shown
let ahead = null; // what comes after it, if it is here already
let done = 0;
let submitted = false; // what is shown is on its way to the server
let busy = false; // the next pair is on its way, and there is none to rate
let lastInstruction = null;
let shownAt = -DOUBLE;
let draftTimer = 0;

// ---- from pair to pair

async function next(announcement = "") {
  pair = null;
  busy = true;
  await post.idle();
  const answer = await send("POST", lastInstruction === null ? url.resume() : url.next(), csrf);
  busy = false;
  if (worthRetrying(answer) && answer.body.code !== "hourly_cap") {
    retry.later(() => next(announcement), answer.wait);
    const offline = button(word("retry"), () => retry.now());
    if (outbox.of(url.next()).length) panel("kept", word(lasting ? "kept" : "kept_memory"), offline);
    else if (!shows("unreachable")) panel("unreachable", word("unreachable"), offline);
    return null;
  }
  retry.succeeded();
  if (answer.status === 204) return location.assign(settings.done);
  if (answer.status !== 200) return refuse(answer);
  show(answer.body, announcement);
  return fetchAhead();
}

async function fetchAhead() {
  const shown = pair;
  const answer = await send("POST", url.next(shown.token), csrf);
  if (pair === shown && !ahead && answer.status === 200 && answer.body.token !== shown.token) ahead = answer.body;
}

// The next pair cannot be had.
function refuse({ status, body, wait }) {
  const again = button(word("retry"), () => next());
  if (status === 401 || status === 403) signedOut(false);
  else if (body.code === "campaign_closed") closed("closed");
  else if (body.code === "practice_first") practise(() => next());
  else if (body.code === "campaign_paused") panel("paused", word("paused_next"), again);
  else if (body.code === "hourly_cap") hourly(wait, again);
  else panel("failed", word("failed"), again);
}

// Says when to come back, and goes on by itself then; it is shown without seconds, so a minute is added.
function hourly(wait, again) {
  const clockTime = { hour: "numeric", minute: "2-digit" };
  const time = new Date(Date.now() + wait * 1000 + 60_000).toLocaleTimeString(document.documentElement.lang, clockTime);
  retry.later(() => next(), wait);
  panel("hourly", word("hourly", { time }), again);
}

const closed = (name) => panel(
  name,
  word(name),
  el("a", { class: "button", href: settings.done }, word("closed_link"))
);

function signedOut(here) {
  const reload = button(word("reload"), () => location.reload());
  if (here) notice("caution", "signed_out", el("p", {}, word("signed_out")), el("p", {}, reload));
  else panel("signed_out", word("signed_out"), reload);
}

function show(assignment, announcement) {
  pair = assignment;
  submitted = false;
  if (ahead?.token === pair.token) ahead = null;
  done = Math.max(done, pair.progress.done);
  $("panel").hidden = true;
  $("pair").hidden = false;
  clearNotice();
  lock(false);
  progress(pair.progress.planned);
  instructions(pair.rubric);
  $("prompt-title").textContent = word("pair", { number: done + 1 });
  const same = pair.prompt.instruction === lastInstruction;
  if (same && done === 1) $("instruction").open = false;
  showPrompt(pair.prompt, same);
  lastInstruction = pair.prompt.instruction;
  showResponses(pair, differing());
  form.build(pair.rubric);
  const draft = drafts.get(pair.token) ?? pair.draft;
  if (draft) form.fill(draft.rating);
  $("kept-draft").hidden = !draft;
  clock.start(draft);
  $("break-text").textContent = word("break", { done });
  $("break").hidden = !(done > 0 && done % BREAK === 0);
  $("edit-last").hidden = !editor.possible();
  shownAt = done ? performance.now() : -DOUBLE;
  scrollTo({ top: 0, behavior: "instant" });
  $("prompt-title").focus({ preventScroll: true });
  say([announcement, $("progress-text").textContent, draft && word("restored")].filter(Boolean).join(" "));
}

function progress(planned) {
  document.querySelector(".review-progress").hidden = false;
  $("progress").max = planned || 1;
  $("progress").value = done;
  $("progress-text").textContent = word("progress", { done, planned });
  const block = Math.floor(done / BLOCK);
  const size = Math.max(Math.min(BLOCK, planned - block * BLOCK), 0);
  const figures = { done: done % BLOCK, size, block: block + 1, blocks: Math.ceil(planned / BLOCK) };
  $("block-text").textContent = size ? word("block", figures) : "";
  const pips = Array.from({ length: size }, (_, at) => el("i", { class: at < done % BLOCK ? "full" : null }));
  $("pips").replaceChildren(...pips);
}

function instructions({ title, instructions: own, sections = [] }) {
  const shown = sections.filter((section) => section.text && section.text !== own);
  const first = sections.find((section) => section.text === own) ?? { text: own ?? "" };
  const heading = (section) => section.title && el("h3", { dir: "auto" }, section.title);
  const parts = [
    ...prose(settings.instructions ?? ""),
    ...written(first),
    ...shown.flatMap((section) => [heading(section), ...written(section)])
  ].filter(Boolean);
  $("instructions-title").textContent = title || $("instructions-title").textContent;
  $("instructions-text").replaceChildren(...parts);
  document.querySelector('[data-opens="instructions"]').hidden = !parts.length;
}

// ---- drafts

function keep() {
  if (!pair || busy || editor.open) return;
  const rating = form.read();
  if (form.isEmpty(rating) && !drafts.get(pair.token)) return;
  drafts.put(pair.token, { rating, ...clock.times });
  $("kept-draft").hidden = false;
  clearTimeout(draftTimer);
  draftTimer = setTimeout(keepOnServer, DRAFT_AFTER);
}

// So that another device can go on. Sparing: when writing has paused for long, and when the page is left.
function keepOnServer() {
  clearTimeout(draftTimer);
  draftTimer = 0;
  const draft = pair && drafts.get(pair.token);
  if (draft) send("PUT", url.draft(pair.token), csrf, { content: draft }, { keepalive: true });
}

// ---- rating

// While a rating waits on this device and nothing else is here to rate, it can no longer be changed.
function lock(locked) {
  $("submit").setAttribute("aria-disabled", String(locked));
  if (locked) $("kept-draft").hidden = true;
  const parts = document.querySelectorAll(".preference, #questions, .question[data-field=comment]");
  for (const part of parts) part.inert = locked;
}

function submit() {
  if (editor.open) return editor.save();
  if (!pair || busy || submitted) return null;
  const rating = form.read();
  const problems = form.missing(rating);
  if (problems.length && form.isEmpty(rating) && performance.now() - shownAt < DOUBLE) return null;
  if (problems.length) return complain(problems);
  keep();
  clearTimeout(draftTimer);
  draftTimer = 0;
  form.clearProblems();
  const entry = { review: url.next(), token: pair.token, at: Date.now(), rating: { ...rating, ...clock.times } };
  outbox.put(pair.token, entry);
  editor.remember(pair, rating);
  submitted = true;
  done += 1;
  if (!advance()) {
    lock(true);
    say(word("sending"));
  }
  return post.send(entry);
}

function advance() {
  if (!submitted || !ahead) return false;
  show(ahead, word("sent"));
  return true;
}

function countUnsent(count) {
  $("unsent").hidden = !count;
  $("unsent-text").textContent = count === 1 ? word("unsent_one") : word("unsent", { count });
  if (count && pair && submitted && $("notice").hidden) {
    notice(
      "caution",
      "kept",
      el("p", {}, word(lasting ? "kept" : "kept_memory")),
      el("p", {}, button(word("retry"), () => post.now()))
    );
    $("notice").focus();
  }
}

// The server has answered for good.
function settle(entry, { status, body }) {
  const here = pair?.token === entry.token && !editor.open;
  if (status === 200) return stored(entry, body, here);
  const { code } = body;
  done = Math.max(0, done - 1);
  if (OVER.includes(code) && !LATE.includes(code)) drafts.drop(entry.token);
  editor.forget(entry.token);
  if (code === "campaign_closed") return closed("closed_late");
  if (status === 401 || status === 403) return signedOut(here);
  if (OVER.includes(code)) return notCounted(code, here);
  if (!here) return bringBack(entry, status, body);
  submitted = false;
  lock(false);
  return problem(status, body);
}

function stored(entry, { progress: { done: counted }, next: following }, here) {
  drafts.drop(entry.token);
  done = Math.max(done, counted);
  if (following && following.token !== pair?.token) ahead = following;
  $("edit-last").hidden = Boolean(editor.open) || !editor.possible();
  if (advance() || !here) return null;
  return next(word("sent"));
}

const REFUSED = {
  lease_expired_full: "late",
  unknown_assignment: "unknown",
  already_rated: "repeated",
  skipped: "late",
  cap_reached: "late"
};

function notCounted(code, here) {
  const name = REFUSED[code];
  if (name === "repeated") return here ? next(word("repeated")) : say(word("repeated"));
  if (!here && pair) {
    progress(pair.progress.planned);
    notice("caution", name, el("p", {}, word(name)));
    return $("notice").focus();
  }
  ahead = null;
  return panel(name, word(name), button(word("late_next"), () => next()));
}

// The rating is not stored and its pair is no longer on the screen: show it again with what was filled in.
async function bringBack(entry, status, body) {
  keep();
  ahead = null;
  await next();
  if (pair?.token === entry.token) problem(status, body);
}

// The rating is not stored, the draft is: say why, beside the button.
function problem(status, { code, problems = [] }) {
  if (problems.length) return complain(problems);
  if (code === "campaign_paused") notice("caution", "paused", el("p", {}, word("paused")));
  else notice("danger", "failed", el("p", {}, word("failed")));
  return $("notice").focus();
}

// ---- controls

const differing = () => $("differences").getAttribute("aria-pressed") === "true";

function prefer(value) {
  const radio = document.querySelector(`#rating [name=preference][value=${value}]`);
  if (radio.closest("[inert]")) return;
  radio.checked = true;
  radio.focus();
  radio.dispatchEvent(new Event("change", { bubbles: true }));
  say(word(value));
}

function controls() {
  $("differences").setAttribute("aria-pressed", String(choices.get("differences", false)));
  $("differences").addEventListener("click", () => {
    $("differences").setAttribute("aria-pressed", String(!differing()));
    choices.put("differences", differing());
    const shown = editor.open ?? pair;
    if (shown) showResponses(shown, differing());
  });
  $("rating").addEventListener("submit", (event) => {
    event.preventDefault();
    if (document.body.dataset.practice === undefined) submit();
  });
  $("rating").addEventListener("input", keep);
  $("rating").addEventListener("change", (event) => {
    const question = event.target.closest(".question, .preference");
    if (question) form.clearProblems(question);
    form.branch();
    keep();
  });
  for (const opener of document.querySelectorAll("[data-opens]")) {
    opener.addEventListener("click", () => $(opener.dataset.opens).showModal());
  }
  for (const jump of document.querySelectorAll("[data-jump]")) {
    jump.addEventListener("click", () => {
      $(jump.dataset.jump).scrollIntoView({ block: "start" });
      $(jump.dataset.jump).focus({ preventScroll: true });
    });
  }
  $("break-over").addEventListener("click", () => { $("break").hidden = true; $("prompt-title").focus(); });
  $("unsent-now").addEventListener("click", () => post.now());
  $("edit-last").addEventListener("click", edit);
  openRemarks({
    current: () => pair,
    skipped: () => {
      drafts.drop(pair.token);
      const following = ahead;
      ahead = null;
      if (!following) return next(word("skipped"));
      show(following, word("skipped"));
      return fetchAhead();
    },
  });
  addEventListener("pagehide", () => { keep(); if (draftTimer) keepOnServer(); });
  document.addEventListener("visibilitychange", () => document.hidden && draftTimer && keepOnServer());
  addEventListener(
    "beforeunload",
    (event) => { if (!lasting && outbox.of(url.next()).length) event.preventDefault(); }
  );
  listen({ submit: () => $("rating").requestSubmit(), prefer, edit });
}

function edit() {
  if (!pair || busy || !editor.possible()) return;
  keep();
  editor.begin(pair, differing());
}

// From the reviewer's own page: change one rating, then go on where the review stands.
async function change(token) {
  history.replaceState(null, "", location.pathname);
  const answer = await send("GET", url.rating(token), csrf);
  if (answer.status === 200) editor.beginWith(answer.body, () => next());
  else next();
}

function start() {
  controls();
  drafts.tidy();
  panel("", word("loading"));
  for (const entry of outbox.of(url.next())) post.send(entry);
  if (settings.editing) change(settings.editing);
  else next();
  navigator.serviceWorker?.register(settings.worker, { scope: settings.scope }).catch(() => {});
}

start();
