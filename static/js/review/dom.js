// Making elements, and finding the words that the template holds for translation.

export const $ = (id) => document.getElementById(id);

// Attributes that are false, null or undefined are left out; strings among the children become text, never markup.
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}

export function word(name, values = {}) {
  const text = $("words").content.querySelector(`[data-word="${name}"]`).textContent.trim();
  const language = document.documentElement.lang;
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key]?.toLocaleString(language) ?? "");
}

export function callout(tone, title, ...children) {
  const icons = $("icons").querySelectorAll("svg");
  const icon = icons[["info", "caution", "danger"].indexOf(tone)].cloneNode(true);
  return el(
    "div",
    { class: "callout", "data-tone": tone },
    icon,
    el("div", {}, el("p", { class: "title" }, title), ...children)
  );
}

// A document's text, hard-wrapped as it may be: paragraphs at blank lines, lists at dashes.
export function prose(text) {
  return text.split(/\n\s*\n/).filter((part) => part.trim()).map((part) => {
    const items = part.split(/^\s*[-*]\s+/m);
    const plain = (words) => words.replace(/\*\*(.+?)\*\*/gs, "$1").replace(/\s+/g, " ").trim();
    const lead = plain(items[0]) && el("p", { dir: "auto" }, plain(items[0]));
    if (items.length === 1) return lead;
    return el(
      "div",
      {},
      lead || null,
      el("ul", { dir: "auto" }, ...items.slice(1).map((item) => el("li", {}, plain(item))))
    );
  });
}

// A section of a rubric: as HTML that the server has sanitised, or as plain text in campaigns from before.
export function written({ text, html }) {
  if (html === undefined) return prose(text);
  const shown = el("div", { class: "prose written", dir: "auto" });
  shown.innerHTML = html;
  return [shown];
}
