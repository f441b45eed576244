// The form of a rubric: built from its fields, read, filled in again, checked.

import { $, el, word } from "./dom.js";

const SIDES = ["left", "right"];
const SEGMENTS = 11; // scales with more steps are written as a number

const form = $("rating");
let fields = [];
let builtFrom = "";

const isScore = (field) => field.kind === "scale" && field.per === "side";
const where = (field) => `${isScore(field) ? "scores" : "answers"}.${field.key}`;
const names = (field) => (field.per === "side" ? SIDES.map((side) => `${where(field)}.${side}`) : [where(field)]);

export function build(rubric) {
  if (builtFrom !== JSON.stringify(rubric.fields)) {
    builtFrom = JSON.stringify(rubric.fields);
    fields = rubric.fields;
    $("questions").replaceChildren(...fields.map(question));
  }
  form.reset();
  clearProblems();
  branch();
}

// ---- questions that depend on earlier answers

function holds({ operator, value }, answer) {
  if (Array.isArray(answer)) return answer.includes(value);
  if (typeof answer !== typeof value) return false;
  if (operator === "=" || typeof answer === "string") return answer === value;
  return operator === "<=" ? answer <= value : answer >= value;
}

// Where each question is asked now: the same rule as on the server.
function places() {
  const given = { preference: form.elements.preference.value };
  const found = { preference: [""] };
  for (const field of fields) {
    const everywhere = field.per === "side" ? SIDES : [""];
    found[field.key] = everywhere.filter((place) => !field.when || applies(field.when, found, given, place));
    const values = names(field).map((name) => valueOf(field, name));
    given[field.key] = field.per === "side" ? { left: values[0], right: values[1] } : values[0];
  }
  return found;
}

function applies(when, found, given, place) {
  const governing = found[when.field] ?? [];
  if (governing.includes("")) return holds(when, given[when.field]);
  return governing.some((side) => (!place || side === place) && holds(when, given[when.field]?.[side]));
}

// Hides what does not apply; what is hidden is not read.
export function branch() {
  const found = places();
  for (const field of fields.filter((one) => one.when)) {
    const question = form.querySelector(`.question[data-field="${CSS.escape(where(field))}"]`);
    question.hidden = !found[field.key].length;
    if (field.per !== "side") continue;
    names(field).forEach((name, at) => {
      question.querySelector(`[data-field="${CSS.escape(name)}"]`).hidden = !found[field.key].includes(SIDES[at]);
    });
  }
}

const isAsked = (name) => !controls(name)[0].closest("[hidden]:not(#pair)");

function question(field, index) {
  const id = `q-${field.key}`;
  const first = fields.findIndex((other) =>
    other.kind === "scale" && other.minimum === field.minimum && other.maximum === field.maximum);
  const bounds = field.kind === "scale" && first === index ? word("scale", field) : "";
  const help = [field.help, bounds].filter(Boolean).join(" ");
  const title = el(
    "h3",
    { id, dir: "auto" },
    field.label,
    field.required ? null : el("span", { class: "optional" }, ` ${word("optional")}`)
  );
  const controls = names(field).map((name, at) => {
    const side = field.per === "side" ? SIDES[at] : null;
    const label = `${id}-${side ?? "pair"}`;
    const control = CONTROLS[field.kind](field, name, side ? `${id} ${label}` : id, help ? `${id}-help` : null);
    return el(
      "div",
      { class: "answer", "data-field": name },
      side && el("span", { class: "which", id: label }, word(side)),
      control
    );
  });
  return el("div", { class: "question", "data-kind": field.kind, "data-field": where(field) }, title,
    help && el("p", { class: "field-help", id: `${id}-help`, dir: "auto" }, help),
    el("div", { class: field.per === "side" ? "answers two" : "answers" }, ...controls));
}

const radio = (name, value, label) =>
  el("label", {}, el("input", { type: "radio", name, value }), el("span", { dir: "auto" }, label));

const group = (kind, labels, help, required, ...children) =>
  el("div", {
    class: kind,
    role: kind === "chips many" ? "group" : "radiogroup",
    "aria-labelledby": labels,
    "aria-describedby": help,
    "aria-required": required && kind !== "chips many" ? "true" : null,
  }, ...children);

const CONTROLS = {
  scale(field, name, labels, help) {
    const { minimum, maximum } = field;
    if (maximum - minimum >= SEGMENTS) {
      return el("input", {
        type: "number",
        name,
        min: minimum,
        max: maximum,
        step: 1,
        inputmode: "numeric",
        "aria-labelledby": labels,
        "aria-describedby": help,
      });
    }
    const steps = Array.from({ length: maximum - minimum + 1 }, (_, step) => String(minimum + step));
    return group("segments", labels, help, field.required, ...steps.map((step) => radio(name, step, step)));
  },
  select(field, name, labels, help) {
    const options = field.options.map((option) => el("option", { value: option }, option));
    return el(
      "select",
      { name, "aria-labelledby": labels, "aria-describedby": help, "aria-required": field.required ? "true" : null },
      el("option", { value: "" }, word("choose")),
      ...options
    );
  },
  multi_select(field, name, labels, help) {
    const boxes = field.options.map((option) =>
      el("label", {}, el("input", { type: "checkbox", name, value: option }), el("span", { dir: "auto" }, option)));
    return group("chips many", labels, help, field.required, ...boxes);
  },
  yes_no: (field, name, labels, help) =>
    group("chips", labels, help, field.required, radio(name, "true", word("yes")), radio(name, "false", word("no"))),
  text: (field, name, labels, help) =>
    el("textarea", {
      name,
      rows: 2,
      maxlength: 5000,
      dir: "auto",
      placeholder: field.placeholder || null,
      "aria-labelledby": labels,
      "aria-describedby": help,
      "aria-required": field.required ? "true" : null,
    }),
};

const controls = (name) => [...form.querySelectorAll(`[name="${CSS.escape(name)}"]`)];

// The value of one control as the API wants it, undefined where there is none.
function valueOf(field, name) {
  const found = controls(name);
  const chosen = found.filter((control) => control.checked).map((control) => control.value);
  const written = found[0].value.trim();
  switch (field.kind) {
    case "scale": {
      const number = found[0].type === "radio" ? chosen[0] : written;
      return number === undefined || number === "" ? undefined : Number(number);
    }
    case "multi_select": return chosen.length ? chosen : undefined;
    case "yes_no": return chosen.length ? chosen[0] === "true" : undefined;
    default: return written || undefined;
  }
}

function setValue(name, value) {
  for (const control of controls(name)) {
    if (control.type === "radio" || control.type === "checkbox") {
      control.checked = (Array.isArray(value) ? value : [value]).map(String).includes(control.value);
    } else control.value = value ?? "";
  }
}

export function read() {
  const rating = {
    preference: form.elements.preference.value,
    scores: {},
    answers: {},
    comment: form.elements.comment.value.trim()
  };
  for (const field of fields) {
    const values = names(field).map((name) => (isAsked(name) ? valueOf(field, name) : undefined));
    if (values.every((value) => value === undefined)) continue;
    const given = SIDES.map((side, at) => [side, values[at]]).filter(([, value]) => value !== undefined);
    const sides = Object.fromEntries(given);
    rating[isScore(field) ? "scores" : "answers"][field.key] = field.per === "side" ? sides : values[0];
  }
  return rating;
}

export function fill(rating) {
  setValue("preference", rating.preference);
  setValue("comment", rating.comment);
  for (const field of fields) {
    const given = rating[isScore(field) ? "scores" : "answers"]?.[field.key];
    names(field).forEach((name, at) => setValue(name, (field.per === "side" ? given?.[SIDES[at]] : given) ?? null));
  }
  branch();
}

export function isEmpty({ preference, scores, answers, comment }) {
  return !preference && !comment && !Object.keys(scores).length && !Object.keys(answers).length;
}

// What the reviewer left out, in the order of the page.
export function missing(rating) {
  const problems = rating.preference ? [] : [{ field: "preference", message: word("missing_preference") }];
  for (const field of fields.filter((one) => one.required)) {
    const absent = names(field).filter((name) => isAsked(name) && valueOf(field, name) === undefined);
    if (!absent.length) continue;
    const side = absent.length === 2 ? "both" : absent[0].split(".").at(-1);
    const message = field.kind !== "scale" ? "missing" : field.per === "side" ? `missing_${side}` : "missing_scale";
    problems.push({ field: absent.length === 2 ? where(field) : absent[0], message: word(message) });
  }
  return problems;
}

// Puts each message into the question that it is about; returns those that have no place here.
export function showProblems(problems) {
  clearProblems();
  const homeless = [];
  for (const { field = "", message } of problems) {
    const question = place(field)?.closest(".question, .preference");
    if (!question) homeless.push(message);
    else {
      const id = `problem-${question.dataset.field}`;
      const shown = question.querySelector(".field-error")
        ?? question.appendChild(el("p", { class: "field-error", id }));
      if (!shown.textContent.includes(message)) shown.textContent = `${shown.textContent} ${message}`.trim();
      for (const control of marked(place(field))) {
        control.setAttribute("aria-invalid", "true");
        control.dataset.described = control.getAttribute("aria-describedby") ?? "";
        control.setAttribute("aria-describedby", `${control.dataset.described} ${id}`.trim());
      }
    }
  }
  const first = form.querySelector("[aria-invalid]");
  (first?.matches("input, select, textarea") ? first : first?.querySelector("input"))?.focus();
  return homeless;
}

function place(field) {
  for (let path = field; path; path = path.split(".").slice(0, -1).join(".")) {
    const found = form.querySelector(`[data-field="${CSS.escape(path)}"]`);
    if (found) return found;
  }
  return null;
}

// Where a wrong answer shows: groups as a whole, other controls themselves, and of two sides only what is unanswered.
function marked(found) {
  if (found.matches("fieldset")) return [found];
  const all = [...found.querySelectorAll(".segments, .chips, select, textarea, input[type=number]")];
  const open = all.filter((control) => !(control.value || control.querySelector?.(":checked")));
  return open.length ? open : all;
}

export function clearProblems(within = form) {
  for (const shown of within.querySelectorAll(".field-error")) shown.remove();
  for (const control of [within, ...within.querySelectorAll("[aria-invalid]")]) {
    if (!control.hasAttribute("aria-invalid")) continue;
    control.removeAttribute("aria-invalid");
    if (control.dataset.described) control.setAttribute("aria-describedby", control.dataset.described);
    else control.removeAttribute("aria-describedby");
  }
}
