// The clocks of a page. They run by the server's time, as the computer's own may be wrong.
// A page that stays open goes on saying how old it is.

let ahead = 0; // ms
const pad = (number) => String(number).padStart(2, "0");
const digits = (seconds) => {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), Math.floor(seconds % 60)];
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${pad(minutes)}:${pad(rest)}`;
};
const words = (seconds) => {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(Math.floor(seconds % 60))} s`;
  return `${Math.floor(seconds / 3600)} h ${pad(Math.floor((seconds % 3600) / 60))} min`;
};
const ago = (seconds) => {
  if (seconds < 2) return "just now";
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds >= size);
  return `${Math.floor(seconds / size)} ${unit} ago`;
};
const passed = (since) => Math.max(0, (Date.now() + ahead - Date.parse(since)) / 1000);
const turn = (clocks, form) => {
  for (const clock of clocks) {
    const text = form(passed(clock.dataset.since ?? clock.dateTime));
    if (clock.textContent !== text) clock.textContent = text;
  }
};
const tick = () => {
  turn(document.querySelectorAll('[data-form="digits"]'), digits);
  turn(document.querySelectorAll('[data-form="words"]'), words);
  for (const bar of document.querySelectorAll("[data-progress-since]")) bar.value = passed(bar.dataset.progressSince);
};
const age = () => turn(document.querySelectorAll('[data-form="ago"]'), ago);
const setTime = (iso) => {
  ahead = Date.parse(iso) - Date.now();
};

setTime(document.body.dataset.now);
tick();
setInterval(tick, 1000);
setInterval(age, 10000); // seldom: what changes all the time draws the eye
