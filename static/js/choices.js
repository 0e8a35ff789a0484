// What a person chose, kept by the browser. Storage may be forbidden: the choice then lasts as long as the page.
// Linked without defer, as theme.js asks for a choice before the first paint.
window.choices = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },

  set(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // as said above
    }
  },
};
