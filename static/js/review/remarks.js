// Something is wrong with a pair: give it back with a reason, or report it and rate it all the same.

import { $, el, word } from "./dom.js";
import { send } from "./net.js";
import { say } from "./said.js";
import { csrf, url } from "./urls.js";

export function openRemarks({ current, skipped }) {
  const dialog = $("remarks");
  const form = dialog.querySelector("form");

  const complain = (text) => {
    $("remark-problem").textContent = text;
    $("remark-problem").hidden = !text;
  };

  $("open-remarks").addEventListener("click", () => {
    if (!current()) return;
    form.reset();
    complain("");
    dialog.showModal();
  });

  form.addEventListener("submit", async (event) => {
    const action = event.submitter?.value;
    if (action !== "skip" && action !== "problem") return; // the button that closes
    event.preventDefault();
    const reason = form.elements.reason.value;
    const text = form.elements.text.value.trim();
    if (!reason) return complain(word("remark_reason"));
    if (reason === "other" && !text) return complain(word("remark_text"));
    const { status } = await send("POST", url[action](current().token), csrf, { reason, text });
    if (status !== 204) return complain(word(status === 0 ? "remark_offline" : "remark_failed"));
    dialog.close();
    if (action === "skip") return skipped();
    return say(word("reported"));
  });
}
