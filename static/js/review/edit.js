// Changing a rating that is stored already: the last one by a key, any that is still open from the reviewer's own page.

import { $, el, word } from "./dom.js";
import * as form from "./form.js";
import { worthRetrying, send } from "./net.js";
import { clearNotice, complain, notice, say } from "./said.js";
import { showPrompt, showResponses } from "./texts.js";
import { csrf, settings, url } from "./urls.js";

export function openEditor({ back }) {
  let last = null; // {pair, rating, at}
  let returnTo = null;
  const label = $("submit-label").textContent;

  function leave(announcement) {
    editor.open = null;
    $("submit-label").textContent = label;
    delete document.body.dataset.editing;
    returnTo();
    say(announcement);
  }

  function present({ pair, rating }, marked) {
    editor.open = pair;
    document.body.dataset.editing = "";
    $("panel").hidden = true;
    $("pair").hidden = false;
    clearNotice();
    $("prompt-title").textContent = word("editing");
    showPrompt(pair.prompt, false);
    showResponses(pair, marked);
    form.build(pair.rubric);
    form.fill(rating);
    $("kept-draft").hidden = true;
    $("submit-label").textContent = word("save_change");
    $("edit-last").hidden = true;
    scrollTo({ top: 0, behavior: "instant" });
    $("prompt-title").focus({ preventScroll: true });
    say(word("editing_help"));
  }

  const editor = {
    open: null,
    remember(pair, rating) {
      last = { pair, rating, at: Date.now() };
    },
    forget(token) {
      if (last?.pair.token === token) last = null;
    },
    possible() {
      if (!last || settings.editMinutes === 0) return false;
      return settings.editMinutes === null || Date.now() - last.at < settings.editMinutes * 60_000;
    },
    begin(current, marked) {
      returnTo = () => back(current);
      present(last, marked);
    },
    beginWith(given, afterwards) {
      returnTo = afterwards;
      last = { ...given, at: Date.now() };
      present(given, false);
    },
    cancel() {
      leave(word("unchanged"));
    },
    async save() {
      const rating = form.read();
      const problems = form.missing(rating);
      if (problems.length) return complain(problems);
      const { token } = editor.open;
      const answer = await send("POST", url.revisions(token), csrf, rating);
      if (answer.status === 200) {
        if (last?.pair.token === token) last.rating = rating;
        return leave(word("changed"));
      }
      if (answer.body.problems?.length) return complain(answer.body.problems);
      const refused = answer.body.code === "edit_closed" ? "edit_closed" : "failed";
      const name = worthRetrying(answer) ? "unreachable" : refused;
      notice("caution", name, el("p", {}, word(name === "unreachable" ? "change_unsent" : name)));
      return $("notice").focus();
    },
  };
  $("edit-cancel").addEventListener("click", () => editor.cancel());
  return editor;
}
