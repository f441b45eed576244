// Small manners every page shares. Nothing here is needed for a page to work.

// A second click on what is on its way already does nothing.
const underWay = new WeakSet();

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (underWay.has(form)) return event.preventDefault();
  const question = form.dataset.confirm;
  if (question && !window.confirm(question)) return event.preventDefault();
  if (form.getAttribute("method") !== "post") return;
  underWay.add(form);
  setTimeout(() => underWay.delete(form), 3000); // a download leaves the page where it is
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (!button) return;
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "✓";
  } catch {
    button.textContent = "✕";
  }
  setTimeout(() => { button.textContent = words; }, 1500);
});
