// The practice round: the same screen with the preference alone, and an explanation after every answer.

import { $, callout, el, word } from "./dom.js";
import { send, worthRetrying } from "./net.js";
import { button, clearNotice, complain, panel, say } from "./said.js";
import { showPrompt, showResponses } from "./texts.js";
import { csrf, settings, url } from "./urls.js";

export async function practise(afterwards) {
  const answer = await send("GET", url.practice(), csrf);
  if (worthRetrying(answer)) return panel(
    "unreachable",
    word("unreachable"),
    button(word("retry"), () => practise(afterwards))
  );
  if (answer.status === 204) return leave(afterwards);
  if (answer.status !== 200) return panel("failed", word("failed"), button(word("retry"), () => practise(afterwards)));
  return present(answer.body, afterwards);
}

function leave(afterwards) {
  delete document.body.dataset.practice;
  clearNotice();
  return afterwards();
}

function present(item, afterwards) {
  document.body.dataset.practice = "";
  $("panel").hidden = true;
  $("pair").hidden = false;
  clearNotice();
  $("rating").reset();
  document.querySelector(".preference").inert = false;
  $("prompt-title").textContent = word("practice", { number: item.number + 1, of: item.of });
  showPrompt(item.prompt, false);
  showResponses(item, false);
  $("submit").setAttribute("aria-disabled", "false");
  $("rating").addEventListener("submit", () => answer(item, afterwards), { once: true });
  scrollTo({ top: 0, behavior: "instant" });
  $("prompt-title").focus({ preventScroll: true });
  say(word("practice_help"));
}

async function answer(item, afterwards) {
  const preference = $("rating").elements.preference.value;
  const again = () => $("rating").addEventListener("submit", () => answer(item, afterwards), { once: true });
  if (!preference) {
    complain([{ field: "preference", message: word("missing_preference") }]);
    return again();
  }
  const reply = await send("POST", url.practice(), csrf, { number: item.number, preference });
  if (reply.status !== 200) {
    $("notice").replaceChildren(callout("caution", word("unreachable_title"), el("p", {}, word("change_unsent"))));
    $("notice").hidden = false;
    return again();
  }
  return explain(reply.body, afterwards);
}

function explain({ right, expected, explanation, left, qualified }, afterwards) {
  document.querySelector(".preference").inert = true;
  $("submit").setAttribute("aria-disabled", "true");
  const wanted = expected.map((value) => word(value)).join(" / ");
  const on = button(word(left ? "practice_next" : "practice_over"), () => {
    if (!left && !qualified) location.assign(settings.done);
    else if (left) practise(afterwards);
    else leave(afterwards);
  });
  const said = right ? word("practice_right") : word("practice_wrong", { expected: wanted });
  $("notice").replaceChildren(callout("info", said, el("p", { dir: "auto" }, explanation), el("p", {}, on)));
  $("notice").hidden = false;
  on.focus();
  say(`${said} ${explanation}`);
}
