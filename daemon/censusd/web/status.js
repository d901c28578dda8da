// Keeps the status page true: asks the daemon every two seconds and writes what it says, as text and never as markup.
"use strict";

const EVERY = 2000;
const PATIENCE = 8000;
const shown = new Map();

const element = (name, properties = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "level") made.dataset.level = value;
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== null));
  return made;
};

// Names are whatever somebody called a file: bytes that are no text, and characters that end lines or turn text around,
// are written as escapes.
const visible = (text) =>
  text.replace(/[\uEF80-\uEFFF]/g, (c) => "\\x" + (c.charCodeAt(0) - 0xef00).toString(16))
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");

const number = (value) => value.toLocaleString("en");
const count = (value, one, many) => `${number(value)} ${value === 1 ? one : many}`;
const words = (text) => text.replaceAll("_", " ");

const size = (bytes) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) { bytes /= 1024; unit += 1; }
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
};

const duration = (seconds) => {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= 2 * length || unit === "min") return `${Math.round(seconds / length)} ${unit}`;
  }
};

const when = (iso, now) => {
  if (!iso) return "never";
  const seconds = (now - Date.parse(iso)) / 1000;
  if (Math.abs(seconds) < 1.5) return "now";
  const text = Math.abs(seconds) < 60 ? `${Math.round(Math.abs(seconds))} s` : duration(Math.abs(seconds));
  return seconds > 0 ? `${text} ago` : `in ${text}`;
};

const moment = (iso) => element("time", { dateTime: iso || "", title: iso || "" });

const tellTimes = (now) => {
  for (const time of document.querySelectorAll("time")) {
    const text = when(time.dateTime, now);
    if (time.textContent !== text) time.textContent = text;
  }
};

// What stays the same is left alone, so that a selection or a scroll position in it survives.
const write = (id, key, make) => {
  const text = JSON.stringify(key);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  document.getElementById(id).replaceChildren(...make());
};

const fact = (name, value, more) =>
  value === null ? null : element("div", {}, element("dt", {}, name),
    element("dd", {}, value, ...(more ? [element("br"), element("small", {}, more)] : [])));

const watch = (w) => {
  if (!w) return ["none", ""];
  if (w.used === undefined) return [w.tier, ""];
  if (w.marks && !w.uncovered) return [w.tier, count(w.marks, "file system", "file systems")];
  return [w.tier, `${w.uncovered ? `${number(w.used)} of ` : ""}${count(w.needed, "directory", "directories")}`];
};

const pass = (p) => {
  const bar = element("progress", { max: 1, ariaLabel: "progress of the pass" });
  if (p.files_expected) bar.value = Math.min(1, p.files / p.files_expected);
  const of = p.files_expected ? ` of about ${number(p.files_expected)}` : "";
  return element("div", { className: "pass" }, bar, element("p", { className: "quiet" },
    `${number(p.files)}${of} files, ${number(Math.round(p.files_per_second))} a second, ` +
    `${count(p.directories, "directory", "directories")}, ${count(p.changed, "change", "changes")}` +
    `${p.problems ? `, ${count(p.problems, "problem", "problems")}` : ""}, ${duration(p.seconds)}` +
    `${p.scope === "/" ? "" : ` in ${visible(p.scope)}`}`));
};

const share = (t, d) => {
  const files = t ? t.files - (d ? d.never : 0) : 0;
  if (files <= 0 || !(d || t.deep)) return "–";
  if (t.deep >= files) return "all";
  const percent = 100 * t.deep / files;
  return `${percent < 1 || percent >= 99 ? percent.toFixed(1) : Math.round(percent)} %`;
};

const deepScan = (d) =>
  element("article", { className: "card", level: d.fault || d.condition === "stuck" ? "trouble" : d.condition === "working" ? "busy" : "idle" },
    element("div", { className: "title" }, element("span", {}, d.why ? visible(d.why) : words(d.condition)),
      element("span", { className: "pill" }, d.condition === "working" || !d.backlog ? d.condition : "waiting")),
    element("dl", { className: "facts" },
      fact("To be read", count(d.backlog, "file", "files"), d.backlog ? size(d.backlog_bytes) : ""),
      d.on_demand ? fact("If asked for", count(d.on_demand, "file", "files"), size(d.on_demand_bytes)) : null,
      fact("At work on", count(d.in_flight, "file", "files")),
      ...d.workers.filter((one) => !one.own).map((one) => fact(visible(one.name), count(one.files, "file", "files"))),
      fact("Given up", count(d.given_up, "file", "files"))),
    d.fault ? element("ul", { className: "notes" }, element("li", {}, visible(d.fault))) : null);

const describing = (d) => {
  const away = d.breaker !== "closed";
  return element("article", { className: "card", level: away ? "warning" : d.state === "working" ? "busy" : "idle" },
    element("div", { className: "title" }, element("span", {}, visible(d.model)),
      element("span", { className: "path" }, visible(d.server)), element("span", { className: "pill" }, d.state)),
    d.why && !away ? element("p", { className: "quiet" }, visible(d.why)) : null,
    element("dl", { className: "facts" },
      fact("Described", count(d.described, "picture", "pictures")),
      fact("Given up", count(d.given_up, "picture", "pictures")),
      fact("Skipped", count(d.skipped, "picture", "pictures"))),
    away ? element("ul", { className: "notes" }, element("li", {}, visible(d.server_trouble))) : null);
};

const repository = (r) => {
  const t = r.totals, [tier, covered] = watch(r.watch), label = r.state === "held" ? "held" : r.phase;
  const hidden = t ? [[t.missing, "missing"], [t.ignored, "ignored"]].filter(([n]) => n) : [];
  const waiting = r.dirty_marks ? `oldest ${duration(r.dirty_oldest_seconds)}` : "";
  return element("article", { className: "card", level: r.level },
    element("div", { className: "title" }, element("h3", {}, r.name), element("span", { className: "path" }, visible(r.root)),
      element("span", { className: "pill" }, label)),
    r.pass ? pass(r.pass) : null,
    element("dl", { className: "facts" },
      fact("Files", t ? number(t.files) : "–", hidden.map(([n, word]) => `${number(n)} ${word}`).join(", ")),
      fact("Size", t ? size(t.bytes) : "–"),
      fact("Directories", t ? number(t.directories) : "–", t && t.problems ? `${number(t.problems)} unreadable` : ""),
      fact("Deep-scanned", share(t, r.deep_scan)),
      fact("Watch", tier, covered),
      fact("Waiting", number(r.dirty_marks), waiting),
      fact("Last pass", moment(r.last_pass_at)),
      fact("Next pass", r.next_pass_at ? moment(r.next_pass_at) : "–"),
      r.owned ? null : fact("Owner", r.owner || "nobody")),
    r.notes.length ? element("ul", { className: "notes" }, ...r.notes.map((note) => element("li", {}, visible(note)))) : null);
};

const changes = (o) => {
  const parts = [["files_added", "+", "added", "added"], ["files_updated", "~", "", "updated"], ["files_moved", "→", "", "moved"],
    ["directories_moved", "⇒", "", "directories moved"], ["files_removed", "−", "removed", "gone"],
    ["files_ignored", "○", "", "ignored"], ["files_purged", "×", "removed", "purged"]];
  const found = parts.filter(([key]) => o[key]).map(([key, sign, className, title]) =>
    element("span", { className, title: `${number(o[key])} ${title}` }, `${sign}${number(o[key])}`));
  return element("td", { className: "changes" }, ...(found.length ? found : ["–"]));
};

const LEVELS = { completed: "fine", running: "busy", held: "warning", failed: "trouble", cancelled: "idle" };

const operation = (o) =>
  element("tr", {},
    element("td", { className: "short" }, moment(o.start_time)),
    element("td", {}, o.repository),
    element("td", { className: "short" }, words(o.operation_type),
      ...(o.trigger === o.operation_type ? [] : [" ", element("small", { className: "quiet" }, words(o.trigger))])),
    element("td", { className: "path" }, visible(o.scope)),
    changes(o),
    element("td", { className: "number" }, number(o.files_scanned)),
    element("td", { className: "number" }, o.duration_ms === null ? "–" : duration(o.duration_ms / 1000)),
    element("td", { title: o.error_message ? visible(o.error_message) : "" },
      element("span", { className: "level", level: LEVELS[o.status] || "idle" }, o.status)));

const problem = (p) =>
  element("tr", {},
    element("td", { className: "path" }, element("span", { className: "quiet" }, `${p.repository}:`), visible(p.path) || "/"),
    element("td", {}, visible(p.problem)),
    element("td", { className: "short" }, moment(p.since)));

const file = (f) =>
  element("tr", {},
    element("td", { className: "path" }, element("span", { className: "quiet" }, `${f.repository}:`), visible(f.path)),
    element("td", {}, visible(f.reason)),
    element("td", { className: "number" }, number(f.attempts)),
    element("td", { className: "short" }, f.quarantined_at ? "given up" : moment(f.retry_at)));

const say = (level, text) => {
  document.querySelector("#connection .dot").dataset.level = level;
  document.getElementById("connection-text").textContent = text;
};

const ask = async (path) => {
  const response = await fetch(path, { signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
  const value = await response.json();
  if (!response.ok) throw new Error(value.error || `status ${response.status}`);
  return value;
};

const showStatus = (status) => {
  const now = Date.parse(status.now), { daemon, database } = status;
  document.title = status.repositories.some((r) => r.level === "trouble" || r.level === "warning") ? "● censusd" : "censusd";
  document.getElementById("daemon").textContent = `${daemon.version}, process ${daemon.pid}, up ${duration(daemon.seconds)}`;
  const banners = [["trouble", daemon.fault], ["warning", daemon.not_ready && `not ready: ${daemon.not_ready}`],
    ["trouble", database.why && (database.as_of
      ? `what is on record is shown as of ${when(database.as_of, now)}: ${database.why}` : database.why)]];
  const wanted = banners.filter(([, text]) => text);
  write("banners", wanted, () => wanted.map(([level, text]) => element("p", { className: "banner", level }, visible(text))));
  write("repositories", status.repositories, () =>
    status.repositories.length ? status.repositories.map(repository)
      : [element("p", { className: "card empty" }, "none yet")]);
  const deep = status.deep_scan;
  document.getElementById("deep-section").hidden = !deep;
  if (deep) write("deep", deep, () => [deepScan(deep)]);
  const describes = status.describe && status.describe.state !== "off";
  document.getElementById("describe-section").hidden = !describes;
  if (describes) write("describe", status.describe, () => [describing(status.describe)]);
  return now;
};

const showRest = (history, problems) => {
  write("history", history, () =>
    history.operations.length ? history.operations.map(operation)
      : [element("tr", {}, element("td", { colSpan: 8, className: "empty" }, "nothing has been done yet"))]);
  document.getElementById("problems-section").hidden = !problems.problems.length;
  write("problems", problems, () => problems.problems.map(problem));
  document.getElementById("files-section").hidden = !problems.files.length;
  write("files", problems.files, () => problems.files.map(file));
};

const refresh = async () => {
  try {
    const now = showStatus(await ask("/v1/status"));
    tellTimes(now);
    say("fine", "live");
    showRest(...await Promise.all([ask("/v1/history?limit=15"), ask("/v1/problems?limit=50")]));
    tellTimes(now);
  } catch (error) {
    // A status that came says itself what is wrong with the database; without one, the daemon does not answer.
    const answered = !(error instanceof TypeError) && error.name !== "TimeoutError";
    say(answered ? "warning" : "trouble", answered ? visible(error.message) : "no answer from the daemon; trying again");
  }
};

const loop = async () => {
  if (!document.hidden) await refresh();
  setTimeout(loop, EVERY);
};

document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
loop();
