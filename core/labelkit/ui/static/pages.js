// Keys, copying and counting of selected runs. Everything else works without this file.
"use strict";
(() => {
  const rows = () => [...document.querySelectorAll("table.runs tbody tr")];
  const linkOf = row => row.querySelector("a.open");
  const writing = target => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  let went = 0;

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex(row => row.contains(document.activeElement));
    linkOf(all[Math.min(Math.max(at + step, 0), all.length - 1)]).focus();
  }

  const follow = selector => document.querySelector(selector)?.click();
  const actions = {
    "/": () => document.querySelector("#where")?.focus(),
    "j": () => move(1),
    "k": () => move(-1),
    "x": () => document.activeElement.closest("tr")?.querySelector("input[type=checkbox]")?.click(),
    "c": () => document.querySelector("#compare")?.requestSubmit(),
    "n": () => follow("a[rel=next]"),
    "p": () => follow("a[rel=prev]"),
    "?": () => document.querySelector("#keys").showModal(),
  };
  const places = { "r": "/", "p": "/playground" };

  document.addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const form = event.target.closest("form[data-send]");
      if (form) { event.preventDefault(); form.requestSubmit(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.timeStamp - went < 1500 && places[event.key]) { location.href = places[event.key]; return; }
    if (event.key === "g") { went = event.timeStamp; return; }
    const action = actions[event.key];
    if (action) { event.preventDefault(); action(); }
  });

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = before; }, 2000);
  }

  document.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    if ("keys" in button.dataset) document.querySelector("#keys").showModal();
  });

  function count() {
    const form = document.querySelector("#compare");
    if (!form) return;
    const chosen = document.querySelectorAll("input[name=run][form=compare]:checked").length;
    const button = form.querySelector("button");
    button.disabled = chosen < 2 || chosen > 10;
    button.textContent = chosen ? `Compare ${chosen} selected` : "Compare selected";
    button.title = button.disabled ? "Select 2 to 10 runs" : "";
  }
  document.addEventListener("change", count);
  count();

  document.addEventListener("submit", event => {
    const text = event.target.dataset?.confirm;
    if (text && !confirm(text)) event.preventDefault();
  });
})();
