// Keeps a job's page live: a stream of events while it can be had, asking again and again while it cannot.
// The page is whole without this file; everything here only brings the newer state into it.

const SHOWN_LINES = 1000;
const POLL = 2000; // ms between two questions while there is no stream
const POLL_HIDDEN = 15000;
const SILENCE = 25000; // the server says something every 10 s; after this long the line is dead
const STREAM_AGAIN = [5000, 15000, 30000, 60000];
const LET_GO = 20000; // a page nobody looks at gives its connection back: a browser has few of them per server
const TRIES = 3;

const parse = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
};

class JobPage {
  constructor(root) {
    this.root = root;
    this.log = root.querySelector("#job-log");
    this.follow = root.querySelector("#job-follow input");
    this.connection = root.querySelector("#job-connection");
    this.seq = Number(root.dataset.seq);
    this.held = new Map(); // parts that wait until somebody has finished typing in them
    this.failures = 0;
    this.refused = 0;
    this.heard = Date.now();
    this.followLog();
    if (!("ended" in root.dataset)) this.begin();
  }

  begin() {
    this.going = true;
    this.stream();
    setInterval(() => this.watch(), 1000);
    document.addEventListener("visibilitychange", () => this.seen());
    addEventListener("online", () => this.reconnect());
    addEventListener("pageshow", (event) => event.persisted && this.reconnect());
    this.root.addEventListener("focusout", () => setTimeout(() => this.release()));
    this.root.addEventListener("htmx:afterSettle", () => this.reconnect());
    // Going back to another part of the list brings a page that nothing would follow.
    document.addEventListener("htmx:historyRestore", () => location.reload());
  }

  // Of many services the page shows some: it asks for news of those alone, and no others come into their table.
  get rows() {
    return this.root.querySelector("#found")?.dataset.rows;
  }

  query() {
    return `?after=${this.seq}${this.rows === undefined ? "" : `&services=${encodeURIComponent(this.rows)}`}`;
  }

  // The stream

  stream() {
    this.source?.close();
    clearTimeout(this.again);
    if (!this.going) return;
    this.heard = Date.now();
    const source = new EventSource(this.root.dataset.stream + this.query());
    this.source = source;
    source.onopen = () => this.opened();
    source.onerror = () => this.failed(source);
    const hear = (name, what) =>
      source.addEventListener(name, (event) => {
        this.opened();
        what(event);
      });
    hear("log", (event) => this.append(parse(event.data)));
    hear("state", (event) => this.apply(parse(event.data)));
    hear("beat", (event) => this.apply(parse(event.data)));
    hear("end", () => this.finish());
    hear("signed-out", () => this.signedOut());
  }

  opened() {
    this.heard = Date.now();
    this.failures = this.refused = 0;
    this.stopPolling();
    this.say("");
  }

  failed(source) {
    if (source !== this.source || !this.going) return;
    this.failures += 1;
    if (source.readyState !== EventSource.CLOSED && this.failures < TRIES) {
      if (this.failures > 1) this.sayLost();
      return; // the browser tries again by itself, with the number of the last line it has
    }
    source.close();
    this.poll();
    this.again = setTimeout(() => this.stream(), STREAM_AGAIN[Math.min(this.refused, STREAM_AGAIN.length - 1)]);
    this.refused += 1;
  }

  reconnect() {
    if (!this.going) return;
    this.failures = this.refused = 0;
    this.stream();
  }

  // After a sleep of the computer the connection looks open and is dead: only silence tells.
  watch() {
    if (this.source?.readyState === EventSource.OPEN && Date.now() - this.heard > SILENCE) this.reconnect();
  }

  seen() {
    clearTimeout(this.letGo);
    if (!this.going) return;
    if (document.hidden) {
      this.letGo = setTimeout(() => {
        this.source?.close();
        clearTimeout(this.again);
        this.poll();
      }, LET_GO);
    } else if (this.source?.readyState !== EventSource.OPEN) {
      this.reconnect();
    }
  }

  // Asking

  poll() {
    if (this.polling || !this.going) return;
    this.polling = true;
    this.ask();
  }

  stopPolling() {
    this.polling = false;
    clearTimeout(this.next);
  }

  async ask() {
    clearTimeout(this.next);
    try {
      const answer = await fetch(this.root.dataset.poll + this.query(), { signal: AbortSignal.timeout(10000) });
      if (answer.redirected) return this.signedOut();
      if (!answer.ok) throw new Error(answer.status);
      const page = parse(await answer.text());
      if (!this.polling) return undefined; // the stream is back and has told it already
      const ended = page.querySelector("[data-ended]");
      this.append(page);
      this.apply(page);
      if (ended) return this.finish();
      this.say(document.hidden ? "" : "No live connection; this page asks every 2 s instead.");
    } catch {
      this.sayLost();
    }
    if (this.polling) this.next = setTimeout(() => this.ask(), document.hidden ? POLL_HIDDEN : POLL);
    return undefined;
  }

  // What arrives

  apply(content) {
    const clock = content.querySelector("[data-now]");
    if (clock) setTime(clock.dataset.now);
    for (const fresh of content.querySelectorAll("[data-live]")) {
      const old = document.getElementById(fresh.id);
      if (!old) this.addRow(fresh);
      else if (this.typedIn(old)) this.held.set(fresh.id, fresh);
      else this.change(old, fresh);
    }
    tick();
  }

  change(old, fresh) {
    this.held.delete(fresh.id);
    morph(old, fresh);
    if (fresh.id === "job-state") this.title();
  }

  typedIn(part) {
    const field = document.activeElement;
    return part.contains(field) && field.matches("input:not([type=hidden]), textarea") && field.value !== "";
  }

  release() {
    for (const [id, fresh] of [...this.held]) {
      const old = document.getElementById(id);
      if (old && !this.typedIn(old)) this.change(old, fresh);
    }
  }

  addRow(row) {
    if (row.nodeName === "TR" && this.rows === undefined) this.root.querySelector(".job-services tbody")?.append(row);
  }

  append(content) {
    let last = this.seq;
    for (const line of content.querySelectorAll("[data-seq]")) {
      const seq = Number(line.dataset.seq);
      if (seq <= last) continue; // shown already
      last = seq;
      if (!document.getElementById(line.id)) this.log.append(line);
    }
    this.seq = last;
    while (this.log.childElementCount > SHOWN_LINES) this.log.firstElementChild.remove();
    if (this.follow.checked) this.log.scrollTop = this.log.scrollHeight;
  }

  // What it says

  title() {
    const word = this.root.querySelector("#job-state .status")?.textContent.trim();
    document.title = `${word} · ${this.root.dataset.title} · Overlayweb`;
  }

  say(text) {
    if (this.connection.textContent !== text) this.connection.textContent = text;
    this.connection.hidden = !text;
  }

  sayLost() {
    this.say("Connection lost; trying again. The job goes on without this page.");
  }

  signedOut() {
    this.stop();
    this.say("You are signed out, so this page stands still. The job goes on. Reload the page to sign in.");
  }

  finish() {
    this.stop();
    this.say("");
  }

  stop() {
    this.going = false;
    this.source?.close();
    clearTimeout(this.again);
    this.stopPolling();
  }

  // The log follows its end until somebody scrolls up, and again when they are back at its end.
  followLog() {
    this.follow.parentElement.hidden = false;
    this.log.scrollTop = this.log.scrollHeight;
    this.log.addEventListener("scroll", () => {
      this.follow.checked = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 8;
    });
    this.follow.addEventListener("change", () => {
      if (this.follow.checked) this.log.scrollTop = this.log.scrollHeight;
    });
  }
}

const root = document.getElementById("job");
if (root) new JobPage(root);
