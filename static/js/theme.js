// The chosen theme, set before the first paint: this file is linked without defer, so nothing flashes.
(() => {
  const root = document.documentElement;
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  root.dataset.scripts = "on";
  const theme = choices.get("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const next = isDark() ? "light" : "dark";
    root.dataset.theme = next;
    choices.set("theme", next);
  });

  addEventListener("storage", (event) => {
    if (event.key === "theme" && (event.newValue === "light" || event.newValue === "dark")) {
      root.dataset.theme = event.newValue; // another tab has switched
    }
  });
})();
