// Keys of the review screen. They are silent while somebody writes, in dialogs, and inside the rubric's questions,
// where digits belong to the focused scale.

import { $ } from "./dom.js";
import { choices } from "./store.js";

const PREFERENCES = { 1: "left", ArrowLeft: "left", 2: "right", ArrowRight: "right", 0: "tie", 9: "both_bad" };

export function listen({ submit, prefer, edit }) {
  const form = $("rating");
  const single = $("single-keys");
  single.checked = choices.get("keys", true);
  const apply = () => document.body.classList.toggle("no-keys", !single.checked);
  single.addEventListener("change", () => {
    choices.put("keys", single.checked);
    apply();
  });
  apply();

  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!event.repeat && !$("pair").hidden) submit();
      return;
    }
    const writing = target.matches("textarea, select, input:not([type=radio], [type=checkbox])");
    if (key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !writing) {
      event.preventDefault();
      edit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || writing) return;
    if (pressed(key, target)) event.preventDefault();
  });

  function pressed(key, target) {
    if (target.closest(".segments") && /^\d$/.test(key)) return onScale(target, key);
    if (!single.checked) return false;
    if (key === "?") $("keys").showModal();
    else if ($("pair").hidden) return false;
    else if (key === "d") $("differences").click();
    else if (key === "h") return fold($("history"));
    else if (key === "Escape" && document.body.dataset.editing !== undefined) $("edit-cancel").click();
    else if (key === "i") document.querySelector('[data-opens="instructions"]:not([hidden])')?.click();
    else if (PREFERENCES[key] && !target.closest(".question")) prefer(PREFERENCES[key]);
    else return false;
    return true;
  }

  function fold(history) {
    if (!history) return false;
    history.open = !history.open;
    history.querySelector("summary").focus();
    return true;
  }

  function onScale(target, key) {
    const steps = [...form.querySelectorAll(`[name="${CSS.escape(target.name)}"]`)];
    const wanted = steps.find((step) => step.value === key)
      ?? (key === "0" && steps.find((step) => step.value === "10"));
    if (!wanted) return false;
    wanted.checked = true;
    wanted.focus();
    wanted.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }
}
