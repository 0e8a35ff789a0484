// A line of a log as a terminal would leave it, and what kind of line of ours it is. builds/logs/ansi.py does for the
// server's rows what `spans` does here.

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const STYLES = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse" };
const OFF = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"] };
// eslint-disable-next-line no-control-regex
const ESCAPE = /\x1b\[([0-9;:<=>?]*)[ -/]*([@-~]|$)|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]/gs;
const KINDS = [
  ["command", /^\[Container\] \S+ \S+ Running command /],
  ["phase", /^\[Container\] \S+ \S+ (?:Entering phase |Phase complete: )/],
  ["error", /^\[Container\] \S+ \S+ (?:Command did not exit successfully|Phase context status code: \S)/],
];

function nearest(rgb) {
  return COLOURS[rgb.reduce((sum, value, index) => sum + (value >= 128 ? 1 << index : 0), 0)];
}

function indexed(number) {
  if (number < 16) return COLOURS[number % 8];
  if (number >= 232) return number >= 244 ? "white" : "black";
  const cube = number - 16;
  return nearest([51 * Math.floor(cube / 36), 51 * (Math.floor(cube / 6) % 6), 51 * (cube % 6)]);
}

function apply(state, params) {
  for (let index = 0; index < params.length; index += 1) {
    const code = params[index];
    if (code === 0) state.clear();
    else if (STYLES[code]) state.set(STYLES[code], STYLES[code]);
    else if (OFF[code]) OFF[code].forEach((name) => state.delete(name));
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) state.set("colour", COLOURS[code % 10]);
    else if (code === 39) state.delete("colour");
    else if (code === 38 || code === 48 || code === 58) {
      const size = { 5: 2, 2: 4 }[params[index + 1]] ?? 0;
      const values = params.slice(index + 2, index + 1 + size);
      if (code === 38 && size && values.length === size - 1) {
        state.set("colour", size === 2 ? indexed(values[0]) : nearest(values));
      }
      index += size;
    }
  }
}

export function spans(text) {
  if (!/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) return text ? [["", text]] : []; // eslint-disable-line no-control-regex
  const state = new Map();
  let made = [];
  let isAtStart = false; // a carriage return moves to the line's start; what follows is written over what was there
  const write = (piece) => {
    const runs = piece.split("\r").filter(Boolean);
    if (runs.length && (isAtStart || runs.length > 1 || piece.startsWith("\r"))) made = [];
    isAtStart = piece.endsWith("\r") || (isAtStart && !runs.length);
    if (runs.length) made.push([[...state.values()].map((name) => `ansi-${name}`).join(" "), runs.at(-1)]);
  };
  let position = 0;
  for (const match of text.matchAll(ESCAPE)) {
    if (match.index > position) write(text.slice(position, match.index));
    position = match.index + match[0].length;
    if (match[2] === "m" && !/^[<=>?]/.test(match[1])) {
      apply(state, match[1].split(/[;:]/).map((one) => Number(one) || 0));
    }
  }
  if (position < text.length) write(text.slice(position));
  return made;
}

export function kind(text) {
  if (!text.startsWith("[Container] ")) return "";
  return KINDS.find(([, pattern]) => pattern.test(text))?.[0] ?? "";
}
