// The tree of changed files: typing narrows it, and a click on a file that is on the page already goes there. Without
// this file Enter searches on the server, and each link leads to a page that begins with its file.

document.addEventListener("input", (event) => {
  const tree = event.target.dataset.filterTree && document.getElementById(event.target.dataset.filterTree);
  if (!tree) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of tree.querySelectorAll("li[data-path]")) row.hidden = !row.dataset.path.toLowerCase().includes(wanted);
  for (const folder of tree.querySelectorAll("li:not([data-path])")) folder.hidden = !folder.querySelector("li[data-path]:not([hidden])");
});

document.addEventListener("click", (event) => {
  const link = event.target.closest(".changed-tree a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const file = document.getElementById(link.hash.slice(1));
  if (!file) return;
  event.preventDefault();
  history.replaceState(history.state, "", link.hash);
  file.scrollIntoView();
});
