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
document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, successful } = event.detail;
  if (successful || xhr.status === 401) show("lost-session", !successful);
  if (successful || xhr.status >= 500) show("lost-server", !successful);
});
document.addEventListener("htmx:sendError", () => show("lost-server", true));

// An answer to older input would overwrite what is newer: typing aborts the request on its way.
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form && form.hasAttribute("data-live")) window.htmx?.trigger(form, "htmx:abort");
});
