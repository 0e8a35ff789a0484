// What stays true while a page is open: relative times, running durations, and whether live updates still arrive.

const UNITS = [
  [3570, 60, "minute"],
  [84600, 3600, "hour"],
  [2592000, 86400, "day"],
  [31536000, 2630016, "month"],
  [Infinity, 31557600, "year"],
];
const RELATIVE_MS = 20000;

function relative(seconds) {
  const distance = Math.abs(seconds);
  if (distance < 45) return seconds >= 0 ? "just now" : "in a moment";
  const [, size, unit] = UNITS.find(([limit]) => distance < limit);
  const count = Math.max(1, Math.round(distance / size));
  const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return seconds >= 0 ? `${words} ago` : `in ${words}`;
}

function elapsed(seconds) {
  const pad = (number) => String(number).padStart(2, "0");
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

const since = (moment) => (Date.now() - Date.parse(moment)) / 1000;

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-relative]")) say(time, relative(since(time.dateTime)));
}, RELATIVE_MS);

setInterval(() => {
  if (document.hidden) return;
  for (const span of document.querySelectorAll("[data-elapsed-since]")) say(span, elapsed(since(span.dataset.elapsedSince)));
}, 1000);

function tell(words) {
  const box = document.getElementById("messages");
  if (!box) return;
  const message = document.createElement("div");
  message.className = "message";
  message.dataset.level = "error";
  const text = document.createElement("p");
  text.textContent = words;
  message.append(text);
  box.replaceChildren(message);
}

document.addEventListener("htmx:sseError", () => (document.documentElement.dataset.live = "lost"));
document.addEventListener("htmx:sseOpen", () => delete document.documentElement.dataset.live);
document.addEventListener("htmx:sseClose", () => delete document.documentElement.dataset.live);
document.addEventListener("htmx:sendError", () => tell("The server did not answer. Check the connection and try again."));
document.addEventListener("htmx:timeout", () => tell("The server took too long to answer. Try again."));
