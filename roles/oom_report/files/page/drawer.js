// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Show all of one host in a dialog.

const MOST_EVENTS = 200;

/** Shows one host: why it did not answer, posture, findings with their fixes, changes and events. */
class Drawer {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.dialog = /** @type {HTMLDialogElement} */ (find("drawer"));
    this.body = find("drawer-body");
    this.heading = find("drawer-heading");
    /** @type {string | null} */
    this.shown = null;
    find("drawer-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => {
      this.shown = null;
      page.choose({ open: null });
    });
    // The dialog itself is only hit beside its content.
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  /**
   * Open the host with this name, or close the dialog.
   * @param {string | null} name
   */
  show(name) {
    if (name === this.shown) return;
    const { hosts } = this.page.report;
    const names = hosts.text("name");
    const code = name === null ? -1 : names.values.indexOf(name);
    const host = code < 0 ? -1 : names.codes.indexOf(code);
    if (name === null || host < 0) {
      if (this.dialog.open) this.dialog.close();
      return;
    }
    this.shown = name;
    this.heading.textContent = shorten(printable(name), 120) || "no name";
    this.body.replaceChildren(...this.describe(host));
    if (!this.dialog.open) this.dialog.showModal();
    this.body.scrollTop = 0;
  }

  /** @param {number} host */
  describe(host) {
    return [
      this.describeState(host),
      this.describeNextVictim(host),
      ...this.describeFindings(host),
      ...this.describePosture(host),
      ...this.describeChanges(host),
      ...this.describeEvents(host),
    ];
  }

  /** @param {number} host */
  describeState(host) {
    const { hosts, made } = this.page.report;
    const state = hosts.text("state").get(host) ?? "failed";
    const read = hosts.number("read")[host];
    const kernel = hosts.text("kernel").get(host);
    const when = Number.isNaN(read) ? "It never answered." : `Read ${formatTime(read)} UTC, ${formatAge(read, made)} before this report.`;
    const lines = [create("p", {}, when, kernel === null ? null : " Kernel ", kernel === null ? null : createWords(kernel), kernel === null ? null : ".")];
    if (state !== "ok") {
      const reason = hosts.text("reason").get(host) ?? "";
      lines.unshift(create("p", { class: "notice" }, create("span", { class: "badge", "data-severity": "high" }, STATES.get(state) ?? "failed"), " ", createWords(reason, 600)));
    }
    return create("div", {}, ...lines);
  }

  /** @param {number} host */
  describeNextVictim(host) {
    const { hosts } = this.page.report;
    const name = hosts.text("victim_name").get(host);
    const room = hosts.number("room_kb")[host];
    const items = [];
    if (name !== null) {
      const owner = hosts.text("victim_container").get(host) ?? hosts.text("victim_unit").get(host);
      const score = hosts.number("victim_score")[host];
      const isSure = hosts.number("victim_certain")[host] === 1;
      items.push(["Next victim", create("span", {}, createWords(name), owner === null ? null : " of ", owner === null ? null : createWords(owner), isSure ? null : small(" (likely, not certain)"))]);
      if (!Number.isNaN(score)) items.push(["Its score", String(score)]);
      items.push(["Ahead by", formatSize(hosts.number("victim_margin_kb")[host])]);
    } else if (hosts.number("panics")[host] === 1) {
      items.push(["Next victim", "none: the host panics"]);
    }
    if (!Number.isNaN(room)) items.push(["Room left", createMeter(room, hosts.number("limit_kb")[host])]);
    const unlogged = hosts.number("unlogged_kills")[host];
    items.push(["Unlogged kills", formatCount(unlogged)]);
    for (const text of listLost(this.page.report, host)) items.push(["The log lacks", createWords(text, 600)]);
    return create("dl", { class: "facts" }, ...items.flatMap(([term, value]) => [create("dt", {}, /** @type {string} */ (term)), create("dd", {}, value)]));
  }

  /** @param {number} host */
  describeFindings(host) {
    const { report } = this.page;
    const { findings } = report;
    const rows = [...report.rowsOf("findings", host)];
    const parts = rows.map((row) => {
      const fix = findings.text("fix").get(row);
      const since = findings.number("first_seen")[row];
      return create(
        "article",
        { class: "finding" },
        create("h4", {}, createSeverity(findings.text("severity").get(row) ?? "low"), " ", createWords(findings.text("id").get(row)), small(" ", createWords(findings.text("object").get(row)))),
        create("p", {}, createWords(findings.text("message").get(row), 2000)),
        Number.isNaN(since) ? null : create("p", { class: "small" }, `Since ${formatTime(since)} UTC, ${formatAge(since, report.made)}.`),
        fix === null ? create("p", { class: "small" }, "No task of this collection repairs it.") : createFix(fix),
      );
    });
    return [create("h3", {}, "Findings"), ...(parts.length > 0 ? parts : [create("p", { class: "empty" }, "None.")])];
  }

  /** @param {number} host */
  describePosture(host) {
    const { report } = this.page;
    const text = (/** @type {string} */ key, /** @type {string} */ column) => (/** @type {number} */ row) => createWords(report.table(key).text(column).get(row));
    const number = (/** @type {string} */ key, /** @type {string} */ column) => (/** @type {number} */ row) => {
      const value = report.table(key).number(column)[row];
      return Number.isNaN(value) ? create("span", { class: "none" }, "not set") : String(value);
    };
    const flag = (/** @type {string} */ key, /** @type {string} */ column) => (/** @type {number} */ row) => ["no", "yes"][report.table(key).number(column)[row]] ?? "unknown";
    return [
      ...this.createTable(host, "pins", "Pins", [["Process", text("pins", "name")], ["Unit", text("pins", "unit")], ["Container", text("pins", "container")], ["Score", number("pins", "score")]]),
      ...this.createTable(host, "killers", "Killers beside the kernel", [["Killer", text("killers", "name")], ["Unit", text("killers", "unit")], ["Version", text("killers", "version")], ["Runs", flag("killers", "active")], ["Reads scores", flag("killers", "reads_scores")]]),
      ...this.createTable(host, "sysctls", "Sysctls", [["Sysctl", text("sysctls", "name")], ["Now", number("sysctls", "live")], ["After a boot", number("sysctls", "boot")], ["Set by", text("sysctls", "boot_value_from")]]),
    ];
  }

  /** @param {number} host */
  describeChanges(host) {
    const { report } = this.page;
    const { changes } = report;
    const words = (/** @type {string} */ key) => (/** @type {number} */ row) => createWords(changes.text(key).get(row), 300);
    const seen = changes.number("seen");
    return this.createTable(host, "changes", "Changes", [["Seen (UTC)", (row) => create("span", { class: "time" }, formatTime(seen[row]).slice(0, 16))], ["What", words("what")], ["Before", words("before")], ["Now", words("after")]]);
  }

  /** @param {number} host */
  describeEvents(host) {
    const { report } = this.page;
    const { events } = report;
    const times = events.number("time");
    const rows = report.rowsOf("events", host);
    const lines = Array.from(rows.subarray(0, MOST_EVENTS), (row) => {
      const why = events.text("why").get(row);
      const today = events.text("with_todays_pins_text").get(row);
      return create(
        "li",
        {},
        create("span", { class: "time" }, formatTime(times[row])),
        " ",
        createWords(events.text("text").get(row), 600),
        why === null ? null : create("p", { class: "small" }, createWords(why, 600)),
        today === null ? null : create("p", { class: "small" }, "With today's pins: ", createWords(today, 600)),
      );
    });
    if (rows.length > MOST_EVENTS) lines.push(create("li", {}, `${formatNumber(rows.length - MOST_EVENTS)} older events are in the table of kills.`));
    return [create("h3", {}, `Events (${formatNumber(rows.length)})`), lines.length > 0 ? create("ol", { class: "events" }, ...lines) : create("p", { class: "empty" }, "None.")];
  }

  /**
   * Create a heading, and a table of the rows of a host.
   * @param {number} host
   * @param {string} key
   * @param {string} title
   * @param {[string, (row: number) => Node | string][]} columns
   */
  createTable(host, key, title, columns) {
    const rows = [...this.page.report.rowsOf(key, host)];
    if (rows.length === 0) return [create("h3", {}, title), create("p", { class: "empty" }, "None.")];
    const heads = columns.map(([name]) => create("th", { scope: "col" }, name));
    const lines = rows.map((row) => create("tr", {}, ...columns.map(([_name, cell], index) => create(index === 0 ? "th" : "td", index === 0 ? { scope: "row" } : {}, cell(row)))));
    const table = create("table", {}, create("caption", { class: "unseen" }, title), create("thead", {}, create("tr", {}, ...heads)), create("tbody", {}, ...lines));
    return [create("h3", {}, title), create("div", { class: "scroll", role: "group", tabindex: 0, "aria-label": title }, table)];
  }
}

/**
 * Show a task to paste, with a button that copies it.
 * @param {string} fix
 */
function createFix(fix) {
  const code = create("pre", { tabindex: 0, role: "group", "aria-label": "Task that repairs it" }, fix.split("\n").map(printable).join("\n"));
  const button = createButton("Copy the task", async () => {
    try {
      await navigator.clipboard.writeText(fix);
      announce("The task is copied.");
    } catch {
      // A browser may refuse it. Then the person can copy what is selected.
      getSelection()?.selectAllChildren(code);
      announce("The browser refused to copy. The task is selected.");
    }
  });
  return create("div", { class: "fix" }, code, button);
}
