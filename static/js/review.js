// The review screen: fetch a pair, keep a draft while it is rated, send the rating once, go on.

import { Clock } from "./review/clock.js";
import { $, callout, el, prose, word } from "./review/dom.js";
import * as form from "./review/form.js";
import { listen } from "./review/keys.js";
import { Retry, send, worthRetrying } from "./review/net.js";
import { choices, drafts, lasting, outbox } from "./review/store.js";
import { showPrompt, showResponses } from "./review/texts.js";

const BLOCK = 10;
const BREAK = 20;
const FINAL = ["campaign_closed", "already_rated", "lease_expired_full", "unknown_assignment"]; // nothing more to keep
const { next: nextUrl, rating: ratingUrl, done: doneUrl, csrf } = $("review").dataset;
const clock = new Clock();
const retry = new Retry();
let pair = null; // what is shown
let busy = false; // a rating or the next pair is on its way
let lastInstruction = null;
let breakDue = false;

// ---- saying things

const say = (text) => { $("status").textContent = text; };

const button = (label, action) => {
  const made = el("button", { type: "button" }, label);
  made.addEventListener("click", action);
  return made;
};

// Beside the submit button, while the pair stays on the screen.
function notice(tone, name, ...children) {
  $("notice").replaceChildren(callout(tone, word(`${name}_title`), ...children));
  $("notice").hidden = false;
}

function clearNotice() {
  $("notice").hidden = true;
  $("notice").replaceChildren();
}

// In place of the pair.
function panel(name, text, ...actions) {
  $("pair").hidden = $("break").hidden = true;
  const title = name && el("h2", {}, word(`${name}_title`));
  $("panel").replaceChildren(...[title, el("p", {}, text), actions.length && el("p", {}, ...actions)].filter(Boolean));
  $("panel").hidden = false;
  $("panel").dataset.shows = name;
  say("");
  if (name) $("panel").focus();
}

const shows = (name) => !$("panel").hidden && $("panel").dataset.shows === name;

// ---- from pair to pair

async function next(announcement = "") {
  pair = null;
  const [waiting] = outbox.of(nextUrl);
  if (waiting) return deliver(waiting);
  busy = true;
  const answer = await send("POST", nextUrl, csrf);
  busy = false;
  if (worthRetrying(answer)) {
    retry.later(() => next(announcement), answer.wait);
    if (!shows("unreachable")) panel("unreachable", word("unreachable"), button(word("retry"), () => retry.now()));
    return null;
  }
  retry.succeeded();
  if (answer.status === 204) return location.assign(doneUrl);
  return answer.status === 200 ? show(answer.body, announcement) : refuse(answer);
}

// The next pair cannot be had.
function refuse({ status, body }) {
  if (status === 401 || status === 403) signedOut(panel);
  else if (body.code === "campaign_closed") closed();
  else if (body.code === "campaign_paused") panel("paused", body.detail, button(word("retry"), () => next()));
  else panel("failed", body.detail ?? "", button(word("retry"), () => next()));
}

const closed = () => panel("closed", word("closed"), el("a", { class: "button", href: doneUrl }, word("closed_link")));
const signedOut = (shown) => shown("signed_out", word("signed_out"), button(word("reload"), () => location.reload()));

function show(assignment, announcement) {
  pair = assignment;
  $("panel").hidden = true;
  $("pair").hidden = false;
  clearNotice();
  lock(false);
  progress(pair.progress);
  instructions(pair.rubric);
  $("prompt-title").textContent = word("pair", { number: pair.progress.done + 1 });
  const same = pair.prompt.instruction === lastInstruction;
  if (same && pair.progress.done === 1) $("instruction").open = false;
  showPrompt(pair.prompt, same);
  lastInstruction = pair.prompt.instruction;
  showResponses(pair, differing());
  form.build(pair.rubric);
  const draft = drafts.get(pair.token);
  if (draft) form.fill(draft.rating);
  $("kept-draft").hidden = !draft;
  clock.start(draft?.active_ms);
  $("break-text").textContent = word("break", { done: pair.progress.done });
  $("break").hidden = !breakDue;
  breakDue = false;
  scrollTo({ top: 0, behavior: "instant" });
  $("prompt-title").focus({ preventScroll: true });
  say([announcement, $("progress-text").textContent, draft && word("restored")].filter(Boolean).join(" "));
}

function progress({ done, planned }) {
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
  const parts = [...prose(own ?? ""), ...shown.flatMap((section) => [el("h3", { dir: "auto" }, section.title), ...prose(section.text)])];
  $("instructions-title").textContent = title || $("instructions-title").textContent;
  $("instructions-text").replaceChildren(...parts);
  document.querySelector('[data-opens="instructions"]').hidden = !parts.length;
}

// ---- rating

function keep() {
  if (!pair || busy) return;
  const rating = form.read();
  if (form.isEmpty(rating) && !drafts.get(pair.token)) return;
  drafts.put(pair.token, { rating, active_ms: clock.total });
  $("kept-draft").hidden = false;
}

// While a rating waits on this device it can no longer be changed.
function lock(locked) {
  $("submit").setAttribute("aria-disabled", String(locked));
  if (locked) $("kept-draft").hidden = true;
  for (const part of document.querySelectorAll(".preference, #questions, .question[data-field=comment]")) part.inert = locked;
}

function submit() {
  if (!pair || busy) return;
  const rating = form.read();
  const problems = form.missing(rating);
  if (problems.length) {
    complain(problems);
    return;
  }
  keep();
  clearNotice();
  form.clearProblems();
  const entry = { review: nextUrl, token: pair.token, rating: { ...rating, active_ms: clock.total } };
  outbox.put(pair.token, entry);
  deliver(entry);
}

function complain(problems) {
  const homeless = form.showProblems(problems);
  const text = problems.length === 1 ? word("incomplete_one") : word("incomplete", { count: problems.length });
  notice("danger", "incomplete", el("p", {}, text), ...homeless.map((message) => el("p", {}, message)));
}

async function deliver(entry) {
  busy = true;
  $("submit").setAttribute("aria-disabled", "true");
  if ($("notice").hidden && !shows("kept")) say(word("sending"));
  const answer = await send("PUT", ratingUrl.replace("TOKEN", entry.token), csrf, entry.rating);
  if (worthRetrying(answer)) {
    waitFor(entry, answer.wait);
    return;
  }
  retry.succeeded();
  busy = false;
  settle(entry, answer);
}

function waitFor(entry, wait) {
  retry.later(() => deliver(entry), wait);
  const text = word(lasting ? "kept" : "kept_memory");
  const again = button(word("retry"), () => retry.now());
  if (pair) {
    lock(true);
    if ($("notice").hidden) {
      notice("caution", "kept", el("p", {}, text), el("p", {}, again));
      $("notice").focus();
    }
  } else if (!shows("kept")) panel("kept", text, again);
}

// The server has answered for good.
function settle(entry, { status, body }) {
  const { code, detail } = body;
  const here = pair?.token === entry.token;
  const unknown = status === 401 || status === 403;
  if (!unknown) outbox.drop(entry.token); // else it goes out when the page is loaded again with a good cookie
  if (status === 200 || FINAL.includes(code)) drafts.drop(entry.token);
  lock(false);
  clearNotice();
  if (status === 200) goOn(body.progress);
  else if (code === "already_rated") next(word("repeated"));
  else if (code === "campaign_closed") closed();
  else if (code === "lease_expired_full") panel("late", word("late"), button(word("late_next"), () => next()));
  else if (code === "unknown_assignment") panel("unknown", word("unknown"), button(word("late_next"), () => next()));
  else if (unknown && !here) signedOut(panel);
  else if (!here) next().then(() => problem(entry, status, body));
  else problem(entry, status, body);
}

// The rating is not stored, the draft is: say why, beside the button.
function problem(entry, status, { code, detail, problems = [] }) {
  if (pair?.token !== entry.token) return;
  if (problems.length) {
    complain(problems);
    return;
  }
  if (status === 401 || status === 403) notice("caution", "signed_out", el("p", {}, word("signed_out")), el("p", {}, button(word("reload"), () => location.reload())));
  else if (code === "campaign_paused") notice("caution", "paused", el("p", {}, word("paused")));
  else notice("danger", "failed", el("p", {}, detail ?? ""));
  $("notice").focus();
}

function goOn({ done }) {
  breakDue = done % BREAK === 0;
  return next(word("sent"));
}

// ---- controls

const differing = () => $("differences").getAttribute("aria-pressed") === "true";

function prefer(value) {
  const radio = document.querySelector(`#rating [name=preference][value=${value}]`);
  radio.checked = true;
  radio.focus();
  radio.dispatchEvent(new Event("change", { bubbles: true }));
  say(word(value));
}

function start() {
  $("differences").setAttribute("aria-pressed", String(choices.get("differences", false)));
  $("differences").addEventListener("click", () => {
    $("differences").setAttribute("aria-pressed", String(!differing()));
    choices.put("differences", differing());
    if (pair) showResponses(pair, differing());
  });
  $("rating").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  $("rating").addEventListener("input", keep);
  $("rating").addEventListener("change", (event) => {
    const question = event.target.closest(".question, .preference");
    if (question) form.clearProblems(question);
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
  addEventListener("pagehide", keep);
  addEventListener("beforeunload", (event) => { if (!lasting && outbox.of(nextUrl).length) event.preventDefault(); });
  listen({ submit, prefer });
  drafts.tidy();

  const first = JSON.parse($("first-assignment").textContent);
  panel("", word("loading"));
  if (first && !outbox.of(nextUrl).length) show(first, "");
  else next();
}

start();
