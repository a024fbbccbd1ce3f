// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Start the page: read the data, then show what the hash of the URL chooses.

const FILTERS = /** @type {const} */ (["q", "killer", "severity", "host", "unit", "from", "to"]);
const WRITE_AFTER = 120; // ms

/**
 * Say something to people who do not see the page.
 * @param {string} text
 */
function announce(text) {
  find("live").textContent = text;
}

/** Holds the state, and shows it in all parts of the page. */
class Main {
  /** @param {FleetReport} report */
  constructor(report) {
    this.report = report;
    this.state = parseState("");
    this.choose = (/** @type {Partial<State>} */ changes) => this.change(changes);
    const page = { report, buckets: new Buckets(report), choose: this.choose };
    this.chart = new KillChart(report, page.buckets, this.choose);
    this.kills = createKillTable(page);
    this.matrix = new FindingMatrix(page);
    this.hosts = new HostSection(page);
    this.unlogged = createUnloggedTable(page);
    this.changes = createChangeTable(page);
    this.drawer = new Drawer(page);
    this.selection = select(report, this.state);
    this.writing = 0;
    this.turn = 0;
    this.connect();
    this.summarize();
    this.show(parseState(location.hash), true);
  }

  /** Connect the filters, the buttons and the hash of the URL. */
  connect() {
    for (const key of /** @type {const} */ (["q", "host", "unit", "killer", "severity"])) {
      field(key).addEventListener("input", () => this.change({ [key]: field(key).value.slice(0, LONGEST_WORDS) }));
    }
    for (const key of /** @type {const} */ (["from", "to"])) {
      field(key).addEventListener("change", () => this.change({ [key]: parseMoment(`${field(key).value}Z`) }));
    }
    const used = new Set(this.report.categories);
    CATEGORIES.forEach(({ key, label }, index) => {
      if (used.has(index)) field("killer").append(create("option", { value: key }, label));
    });
    find("reset").addEventListener("click", () => this.change(parseState(this.state.theme ? `theme=${this.state.theme}` : "")));
    find("csv").addEventListener("click", () => this.saveCsv());
    find("theme").addEventListener("click", () => this.change({ theme: isDark(this.state.theme) ? "light" : "dark" }));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.showTheme());
    window.addEventListener("hashchange", () => this.show(parseState(location.hash), false));
    find("skip").addEventListener("click", (event) => {
      // The hash belongs to the state.
      event.preventDefault();
      goTo("kills-heading");
    });
  }

  /**
   * Change the state, and show it.
   *
   * Another filter begins at the first page of each table.
   * @param {Partial<State>} changes
   */
  change(changes) {
    const state = { ...this.state, ...changes };
    if (FILTERS.some((key) => !Object.is(state[key], this.state[key]))) {
      for (const key of VIEW_KEYS) state[key] = { ...state[key], page: 1 };
    }
    this.show(state, false);
    // Browsers limit how often the URL may change.
    clearTimeout(this.writing);
    this.writing = setTimeout(() => history.replaceState(null, "", `#${writeState(this.state)}`), WRITE_AFTER);
  }

  /**
   * Show a state: only what differs from the state before.
   * @param {State} state
   * @param {boolean} isFirst
   */
  show(state, isFirst) {
    const before = this.state;
    this.state = state;
    if (isFirst || state.theme !== before.theme) this.showTheme();
    const filtered = isFirst || FILTERS.some((key) => !Object.is(state[key], before[key]));
    const turned = (/** @type {ViewKey} */ key) => filtered || writeView(state[key]) !== writeView(before[key]);
    if (filtered) {
      this.selection = select(this.report, state);
      this.fillFields();
      this.tell(isFirst);
    }
    if (turned("kills")) this.kills.show(this.selection.events, state.kills, describeEvents(this.report, this.selection.events));
    if (filtered && !isFirst) this.showLater();
    else this.showRest(filtered, VIEW_KEYS.filter(turned));
    this.drawer.show(state.open);
  }

  /** Show the rest when the table of kills is on the screen: so a key of a search is answered soon. */
  showLater() {
    const turn = ++this.turn;
    find("main").setAttribute("aria-busy", "true");
    requestAnimationFrame(() =>
      setTimeout(() => {
        // Another key came in between.
        if (turn === this.turn) this.showRest(true, VIEW_KEYS);
      }),
    );
  }

  /**
   * Show all but the table of kills.
   * @param {boolean} filtered whether the filters differ from those before
   * @param {ViewKey[]} keys of the tables that differ
   */
  showRest(filtered, keys) {
    const { report, selection, state } = this;
    if (filtered) this.chart.show(selection.beforeTime, state);
    if (keys.includes("findings")) this.matrix.show(selection.findings, state);
    if (keys.includes("hosts")) this.hosts.show(selection, state);
    if (keys.includes("unlogged")) {
      const mask = maskUnlogged(report, selection.hosts);
      this.unlogged.show(mask, state.unlogged, `${countOf(countRows(mask), "host")} whose log lacks kills, or may lack some.`);
    }
    if (keys.includes("changes")) this.changes.show(selection.changes, state.changes, `${countOf(countRows(selection.changes), "change")}.`);
    if (filtered) find("main").setAttribute("aria-busy", "false");
  }

  showTheme() {
    const { theme } = this.state;
    if (theme) document.documentElement.setAttribute("data-theme", theme);
    else document.documentElement.removeAttribute("data-theme");
    find("theme").textContent = isDark(theme) ? "Light" : "Dark";
    this.chart.redraw();
  }

  fillFields() {
    const { state } = this;
    for (const key of /** @type {const} */ (["q", "host", "unit", "killer", "severity"])) {
      if (field(key).value !== state[key]) field(key).value = state[key];
    }
    for (const key of /** @type {const} */ (["from", "to"])) {
      const value = formatIso(state[key]).slice(0, 16);
      if (field(key).value !== value) field(key).value = value;
    }
  }

  /**
   * Say what the filters leave.
   * @param {boolean} isFirst
   */
  tell(isFirst) {
    const isFiltered = writeState({ ...parseState(""), ...Object.fromEntries(FILTERS.map((key) => [key, this.state[key]])) }) !== "";
    find("reset").setAttribute("aria-disabled", String(!isFiltered));
    const { selection } = this;
    const text = `${describeEvents(this.report, selection.events)} ${countOf(countRows(selection.hosts), "host")}, ${countOf(countRows(selection.findings), "finding")}, ${countOf(countRows(selection.changes), "change")}.`;
    find("shown").textContent = isFiltered ? `Shown: ${text}` : "";
    if (!isFirst) announce(isFiltered ? text : "All is shown.");
  }

  /** Write the state of the whole fleet: one sentence, and where to look. */
  summarize() {
    const { report } = this;
    const facts = countFleet(report);
    find("sentence").replaceChildren(...writeSentence(facts));
    const note = report.leftOut > 0 ? ` ${countOf(report.leftOut, "row")} of very long lists are left out here; report.json has them.` : "";
    find("made").textContent = `Made ${formatTime(report.made)} UTC from what hosts logged since ${formatTime(report.since)} UTC.${note}`;
    find("version").textContent = report.version ? `oomguard.linux ${printable(report.version)}` : "oomguard.linux";
  }

  saveCsv() {
    // The rows are in the order of the table without sorting: the newest first.
    const rows = listRows(this.selection.events);
    saveFile("oom-events.csv", writeCsv(this.report, rows));
    announce(`${countOf(rows.length, "row")} are in the file.`);
  }
}

/**
 * @param {string} id
 * @returns {HTMLInputElement}
 */
function field(id) {
  return /** @type {HTMLInputElement} */ (find(id));
}

/** @param {string} theme */
function isDark(theme) {
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** @param {string} id of a heading */
function goTo(id) {
  const heading = find(id);
  heading.scrollIntoView();
  heading.focus({ preventScroll: true });
}

/**
 * Return how many kills and other events a mask leaves.
 * @param {FleetReport} report
 * @param {Uint8Array} mask
 */
function describeEvents(report, mask) {
  let kills = 0;
  for (let row = 0; row < mask.length; row += 1) kills += mask[row] & Number(CATEGORIES[report.categories[row]].isKill);
  const others = countRows(mask) - kills;
  return `${countOf(kills, "kill")}${others > 0 ? ` and ${countOf(others, "other event")}` : ""}.`;
}

/** @param {FleetReport} report */
function countFleet(report) {
  const { hosts, events, findings } = report;
  const struck = new Set();
  let kills = 0;
  report.categories.forEach((category, row) => {
    if (!CATEGORIES[category].isKill) return;
    kills += 1;
    struck.add(events.number("host")[row]);
  });
  const severe = new Set();
  const severities = findings.text("severity");
  for (let row = 0; row < findings.length; row += 1) {
    if (severities.get(row) === "high") severe.add(findings.number("host")[row]);
  }
  const states = hosts.text("state");
  let silent = 0;
  let blind = 0;
  for (let host = 0; host < hosts.length; host += 1) {
    const isSilent = states.get(host) !== "ok";
    silent += Number(isSilent);
    blind += Number(!isSilent && hosts.number("log_unread")[host] === 1);
  }
  let unlogged = 0;
  for (const number of hosts.number("unlogged_kills")) unlogged += number || 0;
  return {
    kills,
    others: events.length - kills,
    struck: struck.size,
    hosts: hosts.length,
    days: Math.max(1, Math.round((report.made - report.since) / 86400)),
    severe: severe.size,
    silent,
    blind,
    unlogged,
    changes: report.changes.length,
  };
}

/**
 * Return the sentence about the fleet. Each number leads to its section.
 * @param {ReturnType<typeof countFleet>} facts
 */
function writeSentence(facts) {
  // A mark stays on the line of what it follows.
  const part = (/** @type {string} */ text, /** @type {string} */ id, /** @type {string} */ mark) =>
    create("span", { class: "part" }, createButton(text, () => goTo(id), { class: "link" }), mark);
  const where = ` on ${formatNumber(facts.struck)} of ${countOf(facts.hosts, "host")} in ${countOf(facts.days, "day")}; `;
  const more = [];
  if (facts.blind > 0) more.push({ text: `${countOf(facts.blind, "host")} whose log was not read`, id: "unlogged-heading" });
  if (facts.unlogged > 0) more.push({ text: `${countOf(facts.unlogged, "kill")} not in a log`, id: "unlogged-heading" });
  if (facts.changes > 0) more.push({ text: countOf(facts.changes, "change"), id: "changes-heading" });
  const parts = [
    { text: `${countOf(facts.severe, "host")} with high findings`, id: "findings-heading" },
    { text: `${countOf(facts.silent, "host")} did not answer`, id: "hosts-heading" },
    ...more,
  ];
  return [
    part(countOf(facts.kills, "kill"), "kills-heading", ""),
    where,
    ...parts.flatMap(({ text, id }, index) => (index < parts.length - 1 ? [part(text, id, ";"), " "] : [part(text, id, ".")])),
  ];
}

/** Read the data and start. */
async function start() {
  try {
    const report = await readReport(find("data").textContent ?? "");
    find("loading").remove();
    find("content").hidden = false;
    new Main(report);
    document.documentElement.setAttribute("data-ready", "true");
    // The first search is as fast as the others.
    setTimeout(() => Object.values(SEARCHED.events).forEach((key) => report.events.text(key).lower()), 100);
  } catch (error) {
    find("loading").textContent = "This page cannot be shown: it needs a browser from 2024 or later. The same data are in report.json and events.csv.";
    throw error;
  }
}

start();
