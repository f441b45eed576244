// Explanations of terms also open on hover and on keyboard focus. A click opens them without this script.

const opened = (target) => target.closest?.(".term")?.popoverTargetElement;
const isInside = (node, term) => node instanceof Node
  && (term.popoverTargetElement.contains(node) || term.contains(node));

const show = (term) => {
  if (!opened(term).matches(":popover-open")) opened(term).showPopover({ source: term });
};

for (const term of document.querySelectorAll(".term")) {
  const explanation = opened(term);
  const leave = (event) => {
    if (!isInside(event.relatedTarget, term)) explanation.hidePopover();
  };
  term.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(term); });
  term.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") leave(event); });
  term.addEventListener("focus", () => { if (term.matches(":focus-visible")) show(term); });
  term.addEventListener("blur", leave);
  explanation.addEventListener("pointerleave", leave);
}
