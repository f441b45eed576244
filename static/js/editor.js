// Line numbers beside a text that is edited (textarea[data-lines]), and buttons that lead to a place in it.

const area = document.querySelector("textarea[data-lines]");

function startOf(line) {
  let index = 0;
  for (let number = 1; number < line; number += 1) index = area.value.indexOf("\n", index) + 1;
  return index;
}

// Columns count characters; the text area counts UTF-16 units.
function indexOf(line, column) {
  const start = startOf(line);
  const end = area.value.indexOf("\n", start);
  const text = area.value.slice(start, end < 0 ? undefined : end);
  return start + [...text].slice(0, column - 1).join("").length;
}

function openEditor() {
  const numbers = document.createElement("pre");
  numbers.className = "line-numbers";
  numbers.setAttribute("aria-hidden", "true");
  const frame = document.createElement("div");
  frame.className = "editor";
  area.before(frame);
  frame.append(numbers, area);
  const scroll = () => { numbers.scrollTop = area.scrollTop; };
  const draw = () => {
    const wrong = Number(document.querySelector("[data-line]")?.dataset.line);
    const list = Array.from({ length: area.value.split("\n").length }, (_, at) => `${at + 1}`);
    const mark = document.createElement("mark");
    mark.textContent = list[wrong - 1] ?? "";
    numbers.replaceChildren(list.slice(0, wrong ? wrong - 1 : undefined).join("\n"));
    if (mark.textContent) numbers.append(wrong > 1 ? "\n" : "", mark, "\n", list.slice(wrong).join("\n"));
    scroll();
  };
  area.addEventListener("input", draw);
  area.addEventListener("scroll", scroll);
  document.addEventListener("htmx:afterSwap", draw);
  document.addEventListener("click", (event) => {
    const place = event.target.closest?.("button[data-line]");
    if (!place) return;
    const line = Number(place.dataset.line);
    const index = indexOf(line, Number(place.dataset.column));
    area.focus();
    area.setSelectionRange(index, index);
    area.scrollTop = (line - 3) * parseFloat(getComputedStyle(area).lineHeight);
  });
  draw();
}

if (area) openEditor();
