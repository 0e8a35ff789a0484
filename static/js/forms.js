// A destructive act asks for the name to be typed; its button waits until it is. data-submit sends a form on change.

function confirmable(field) {
  const button = field.form?.querySelector("[data-confirm-button]");
  if (button) button.disabled = field.value !== field.dataset.confirmName;
}

const each = (root) => root.querySelectorAll("input[data-confirm-name]").forEach(confirmable);

document.addEventListener("input", (event) => {
  if (event.target.matches("input[data-confirm-name]")) confirmable(event.target);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form?.requestSubmit();
});

document.addEventListener("htmx:load", (event) => each(event.detail.elt));
each(document);
