// Saying things: to screen readers, beside the submit button, in place of the pair.

import { $, callout, el, word } from "./dom.js";
import * as form from "./form.js";

export const say = (text) => { $("status").textContent = text; };

export const button = (label, action) => {
  const made = el("button", { type: "button" }, label);
  made.addEventListener("click", action);
  return made;
};

// Beside the submit button, while the pair stays on the screen.
export function notice(tone, name, ...children) {
  $("notice").replaceChildren(callout(tone, word(`${name}_title`), ...children));
  $("notice").hidden = false;
  return null;
}

export function clearNotice() {
  $("notice").hidden = true;
  $("notice").replaceChildren();
}

// In place of the pair.
export function panel(name, text, ...actions) {
  $("pair").hidden = $("break").hidden = true;
  const title = name && el("h2", {}, word(`${name}_title`));
  $("panel").replaceChildren(...[title, el("p", {}, text), actions.length && el("p", {}, ...actions)].filter(Boolean));
  $("panel").hidden = false;
  $("panel").dataset.shows = name;
  say("");
  if (name) $("panel").focus();
}

export const shows = (name) => !$("panel").hidden && $("panel").dataset.shows === name;

export function complain(problems) {
  const homeless = form.showProblems(problems);
  const text = problems.length === 1 ? word("incomplete_one") : word("incomplete", { count: problems.length });
  notice("danger", "incomplete", el("p", {}, text), ...homeless.map((message) => el("p", {}, message)));
}
