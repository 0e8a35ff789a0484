// The tab of this page is in sight where not all tabs are. Open dropdowns close on a click elsewhere and on Escape, and only one is open at a time. data-filter narrows a list.

for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const { left, right } = tab.parentElement.getBoundingClientRect();
  const place = tab.getBoundingClientRect();
  if (place.right > right) tab.parentElement.scrollLeft += place.right - right + place.width;
  else if (place.left < left) tab.parentElement.scrollLeft -= left - place.left;
}

const open = () => document.querySelectorAll("details.dropdown[open]");

document.addEventListener("click", (event) => {
  for (const dropdown of open()) if (!dropdown.contains(event.target)) dropdown.open = false;
});

// Whoever opens a long list types what is looked for; where fingers type, a keyboard would hide the list.
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!target.matches?.("details.dropdown[open]") || matchMedia("(pointer: coarse)").matches) return;
    target.querySelector(".dropdown-panel > input, .dropdown-panel > form > input[type=search]")?.focus();
  },
  true,
);

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const dropdown of open()) {
    dropdown.open = false;
    dropdown.querySelector("summary")?.focus();
  }
});

document.addEventListener("input", (event) => {
  const list = event.target.dataset.filter && document.getElementById(event.target.dataset.filter);
  if (!list) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const item of list.children) item.hidden = !item.textContent.toLowerCase().includes(wanted);
});
