// Showing the prompt and the two responses. Both sides go through the same functions together.

import { differences } from "./diff.js";
import { $, el, word } from "./dom.js";

const SHORT = 60; // characters that fit a narrow column of the table of inputs
const LONG = 320; // characters after which a text is folded
const LATEST = 1600; // the same for what the responses answer
const FEW = 3; // earlier turns that are shown at once,
const BRIEF = 600; // if they have no more characters than these

export function showPrompt({ instruction, input, turns, tools }, sameInstruction) {
  $("instruction-text").textContent = instruction;
  $("instruction").hidden = !instruction;
  $("same").hidden = !sameInstruction;
  if (!sameInstruction) $("instruction").open = true;
  const given = input === "" || input == null ? [] : [value(input)];
  $("input").replaceChildren(...(turns.length ? [conversation(turns, tools)] : given));
}

// The user's last turn and what follows it stay in sight; the turns before them can be folded.
function conversation(turns, tools) {
  const earlier = turns.slice(0, Math.max(turns.findLastIndex(({ role }) => role === "user"), 0));
  const characters = earlier.reduce((sum, { text: { length } }) => sum + Math.min(length, LONG), 0);
  const count = earlier.length === 1 ? word("earlier_one") : word("earlier", { count: earlier.length });
  const list = (some, longest) => el("ol", { class: "turns" }, ...some.map((one) => turn(one, longest)));
  return el(
    "div",
    { class: "conversation" },
    tools.length > 0 && el("p", { class: "small muted" }, word("tools", { names: tools.join(", ") })),
    earlier.length > 0 && el(
      "details",
      { id: "history", open: earlier.length <= FEW && characters <= BRIEF },
      el("summary", { "aria-keyshortcuts": "h" }, `${count} `, el("kbd", {}, "h")),
      list(earlier, LONG)
    ),
    list(turns.slice(earlier.length), LATEST)
  );
}

function turn({ role, text: content, name, calls }, longest) {
  const shown = (role === "tool" && indented(content)) || content;
  return el(
    "li",
    { class: "turn", "data-role": role },
    el("p", { class: "speaker" }, el("strong", {}, word(role)), " ", name && el("code", {}, name)),
    (shown || !calls.length) && text(shown || word("nothing"), longest),
    ...calls.map(call)
  );
}

function call({ name, arguments: given }) {
  const title = [`${word("call")} `, el("code", {}, name)];
  if (!given) return el("p", { class: "call" }, ...title);
  return el(
    "details",
    { class: "call", open: given.length <= LONG },
    el("summary", {}, ...title),
    el("pre", { dir: "ltr" }, given)
  );
}

function value(given) {
  if (Array.isArray(given) && given.every((item) => item === null || typeof item !== "object")) {
    return text(given.map(plain).join(", "));
  }
  if (given !== null && typeof given === "object") return table(given);
  return text(plain(given));
}

function plain(given) {
  if (given === true) return word("yes");
  if (given === false) return word("no");
  return given === null || given === "" ? "–" : String(given);
}

function table(given) {
  const isWide = (inner) => (inner !== null && typeof inner === "object") || plain(inner).length > SHORT;
  const entries = Object.entries(given);
  // What is short comes first, side by side; a list keeps its order.
  if (!Array.isArray(given)) entries.sort(([, a], [, b]) => isWide(a) - isWide(b));
  const rows = entries.map(([key, inner]) => {
    const name = Array.isArray(given) ? String(Number(key) + 1) : key.replace(/_/g, " ");
    return el(
      "div",
      { class: isWide(inner) ? "wide" : null },
      el("dt", { dir: "auto" }, name),
      el("dd", {}, value(inner))
    );
  });
  return el("dl", { class: "inputs" }, ...rows);
}

function text(content, longest = LONG) {
  if (content.length <= longest) return el("div", { class: "text", dir: "auto" }, content);
  const start = content.slice(0, 140).replace(/\s+\S*$/, "");
  return el("details", { class: "long" },
    el(
      "summary",
      {},
      el("span", { class: "start", dir: "auto" }, `${start} …`),
      el("span", { class: "whole" }, word("whole"))
    ),
    el("div", { class: "text", dir: "auto" }, content));
}

export function showResponses(pair, marked) {
  const rendered = pair.left.html !== undefined && !marked; // differences are marked in the plain texts
  const pretty = [indented(pair.left.text), indented(pair.right.text)];
  const code = !rendered && pretty.some((found) => found !== null);
  const texts = [pretty[0] ?? pair.left.text, pretty[1] ?? pair.right.text];
  const parts = marked ? differences(...texts) : texts.map((whole) => [{ text: whole, differs: false }]);
  ["left", "right"].forEach((side, index) => {
    const shown = parts[index].filter((part) => part.text);
    const nodes = shown.map((part) => (part.differs ? el("mark", {}, part.text) : part.text));
    const place = $(`text-${side}`);
    place.classList.toggle("as-code", code);
    place.classList.toggle("as-markdown", rendered && shown.length > 0);
    if (rendered && shown.length) place.innerHTML = pair[side].html; // sanitised by the server: no link, no image
    else place.replaceChildren(...(nodes.length ? nodes : [word("nothing")]));
  });
}

// JSON with line breaks, or null if it is none. Works on the tokens, so that long numbers and repeated keys stay as
// written.
export function indented(source) {
  if (!/^\s*[[{]/.test(source)) return null;
  try {
    JSON.parse(source);
  } catch {
    return null;
  }
  let depth = 0;
  let result = "";
  let last = "";
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of source.matchAll(/"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "}" || token === "]") {
      depth -= 1;
      if (last !== "{" && last !== "[") result += line();
      result += token;
    } else {
      if (last === "{" || last === "[") result += line();
      if (token === "{" || token === "[") depth += 1;
      if (token === ":") result += ": ";
      else if (token === ",") result += `,${line()}`;
      else result += token[0] === '"' ? JSON.stringify(JSON.parse(token)) : token;
    }
    last = token;
  }
  return result;
}
