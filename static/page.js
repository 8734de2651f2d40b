// Small conveniences. Every page works without this file.

// Click copies, and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button || !navigator.clipboard) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.dataset.copied = "Copied";
  setTimeout(() => delete button.dataset.copied, 1500);
});

// Menus close on a click elsewhere and on Escape, and give the focus back.
const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
};
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  const open = document.querySelector("details.menu[open]");
  if (event.key !== "Escape" || !open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// Ctrl K, or Command K, goes to the search: the page's own, or else that of the top bar.
document.addEventListener("keydown", (event) => {
  const search = document.getElementById("search");
  if (event.key !== "k" || !(event.ctrlKey || event.metaKey) || !search?.checkVisibility()) return;
  event.preventDefault();
  search.select();
});

// The server keeps the theme; the page that is open follows without a reload, so nothing typed is lost.
document.addEventListener("theme", (event) => {
  const theme = event.detail.value;
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const button of document.querySelectorAll('button[name="theme"]')) {
    if (button.value === theme) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  closeMenus();
});

// Answers that do not come, or come without a session, are said instead of being swallowed.
const show = (id, shown) => {
  const banner = document.getElementById(id);
  if (banner) banner.hidden = !shown;
};

// Signing in, in whichever tab, changes the token that forms carry. This page takes the new one, and keeps its words.
const takeNewToken = async () => {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok || answer.redirected) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body.getAttribute("hx-headers");
  if (!fresh) return false;
  document.body.setAttribute("hx-headers", fresh);
  for (const input of document.querySelectorAll('input[name="csrfmiddlewaretoken"]')) {
    input.value = JSON.parse(fresh)["X-CSRFToken"];
  }
  return true;
};
let renewing = false;
const signInAgain = async () => {
  if (renewing) return;
  renewing = true;
  const renewed = await takeNewToken();
  show("lost-session", !renewed);
  if (renewed) document.querySelectorAll("form[data-live]").forEach((form) => window.htmx?.trigger(form, "input"));
  renewing = false;
};
document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, successful } = event.detail;
  if (xhr.status === 401 || xhr.status === 403) signInAgain();
  if (successful || xhr.status >= 500) show("lost-server", !successful);
});
document.addEventListener("htmx:sendError", () => show("lost-server", true));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && document.getElementById("lost-session")?.hidden === false) signInAgain();
});
window.addEventListener("pageshow", (event) => {
  const cameBack = event.persisted || performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  if (cameBack) takeNewToken();
});

// What a page is about may be gone: what says so takes the place of the page, or of a form's plan beside what was typed.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.status !== 404 || !["main", "preview"].includes(detail.target.id)) return;
  detail.shouldSwap = true;
  detail.isError = false;
  if (detail.target.id === "preview") {
    detail.selectOverride = "#main h1, #main h1 ~ p, #main .empty";
    detail.swapOverride = "innerHTML";
  }
});

// A suggestion is taken over here, without asking the server for the form: what is being typed stays.
document.addEventListener("click", (event) => {
  const button = event.target.closest('button[name="use"]');
  const [about, value] = button?.value.split(/=(.*)/s) ?? [];
  const [field, line] = about?.split(/:(.*)/s) ?? [];
  const input = button?.form.elements[field];
  if (!input) return;
  event.preventDefault();
  // Of a field with several lines, the one that begins with what is meant.
  const begins = (row) => row.trim().split(/\s+/)[0] === line;
  input.value = line ? input.value.split("\n").map((row) => (begins(row) ? value : row)).join("\n") : value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.focus();
});

// An answer to older input would overwrite what is newer, a choice made meanwhile too: typing aborts the request on its way.
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form && form.hasAttribute("data-live")) window.htmx?.trigger(form, "htmx:abort");
});

// What stands beside a field comes anew while it is typed; whether the field counts as wrong follows from it.
document.addEventListener("htmx:afterSettle", () => {
  for (const said of document.querySelectorAll(".verdicts[id]")) {
    const field = document.querySelector(`[aria-describedby~="${CSS.escape(said.id)}"]`);
    if (said.querySelector(".is-danger")) field?.setAttribute("aria-invalid", "true");
    else field?.removeAttribute("aria-invalid");
  }
});
