// What the pages do beyond reading: keys, choosing rows and what is copied, and saying when what is shown is not fresh.
"use strict";

const rows = () => [...document.querySelectorAll("tbody[data-keys] tr")];

// A key presses what bears it. In lists j and k move from row to row, Enter opens one, x chooses it; / goes to the search.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, button")) {
    if (!(event.target.matches && event.target.matches("tbody[data-keys] input[type=checkbox]"))) return;
  }
  if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) { search.focus(); event.preventDefault(); }
    return;
  }
  const marked = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (marked) {
    marked.click();
    event.preventDefault();
    return;
  }
  const all = rows();
  if (!all.length || !["j", "k", "x"].includes(event.key)) return;
  let at = all.findIndex((row) => row.classList.contains("at"));
  if (event.key === "x") {
    const box = at >= 0 && all[at].querySelector("input[type=checkbox]");
    if (box) box.click();
    return;
  }
  if (at >= 0) all[at].classList.remove("at");
  at = Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), all.length - 1);
  all[at].classList.add("at");
  const link = all[at].querySelector("a");
  if (link) link.focus();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("input[data-all]")) {
    for (const box of document.querySelectorAll("tbody[data-keys] input[type=checkbox]")) box.checked = event.target.checked;
  }
});

// Whoever comes back to the page sees how it is now.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") document.body.dispatchEvent(new Event("refresh"));
});

// What could not be fetched, until it could: parts of a page are fetched by themselves.
const late = new Set();
const tell = (isLate) => ({ detail }) => {
  late[isLate ? "add" : "delete"](detail.pathInfo.requestPath);
  document.querySelector("[data-stale]").hidden = late.size === 0;
};
document.addEventListener("htmx:sendError", tell(true));
document.addEventListener("htmx:responseError", tell(true));
document.addEventListener("htmx:afterSwap", tell(false));

// What is there to be copied is chosen whole.
document.addEventListener("focusin", ({ target }) => {
  if (target.matches("input[data-select]")) target.select();
});
