// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Say what each table of the page shows.

const CONSTRAINTS = new Map([
  ["none", "host out of memory"],
  ["memcg", "memory limit"],
  ["cpuset", "memory nodes of a cpuset full"],
  ["memory_policy", "memory nodes of a policy full"],
]);
const OUTCOMES = new Map([
  ["panic", "the kernel panicked"],
  ["no_killable", "nothing could be killed"],
  ["incomplete", "the log does not show it"],
]);
const TODAY = new Map([
  ["same", "same victim"],
  ["other", "another victim"],
  ["unknown", "not known"],
]);
const STATES = new Map([
  ["failed", "failed"],
  ["unreachable", "did not answer"],
]);
const MOST_FINDINGS = 16;
const MOST_NAMES = 100;

/**
 * What the sections need: the data, how to change the state, and how to open a host.
 * @typedef {object} Page
 * @property {FleetReport} report
 * @property {Buckets} buckets
 * @property {(changes: Partial<State>) => void} choose
 */

/**
 * Create a button with the name of a host, which opens it.
 * @param {Page} page
 * @param {number} host
 */
function createHost({ report, choose }, host) {
  const name = report.hosts.text("name").get(host) ?? "";
  return createButton(shorten(printable(name), 80) || "no name", () => choose({ open: name }), { class: "link words" });
}

/** @param {...(Node | string | null)} children */
function small(...children) {
  return create("span", { class: "small" }, ...children);
}

/**
 * Return the places of texts in the alphabet as a rank.
 * @param {TextColumn} column
 */
function alphabet(column) {
  return (/** @type {number} */ row) => column.ranks()[row];
}

// --- kills ---------------------------------------------------------------------------

/** @param {Page} page */
function createKillTable(page) {
  const { report, choose } = page;
  const { events } = report;
  const text = (/** @type {string} */ key, /** @type {number} */ row) => events.text(key).get(row);
  const number = (/** @type {string} */ key) => events.number(key);
  const hostOf = number("host");
  const names = () => report.hosts.text("name").ranks();
  /** @type {Column[]} */
  const columns = [
    {
      key: "time",
      label: "When (UTC)",
      rank: (row) => number("time")[row],
      cell: (row) => create("span", { class: "time" }, formatTime(number("time")[row])),
    },
    { key: "host", label: "Host", isHeader: true, rank: (row) => names()[hostOf[row]], cell: (row) => createHost(page, hostOf[row]) },
    { key: "name", label: "Killed", rank: alphabet(events.text("name")), cell: (row) => describeVictim(report, row) },
    {
      key: "unit",
      label: "Unit or container",
      rank: alphabet(events.text("unit")),
      cell: (row) => describeOwner(text("container", row), text("pod", row), text("unit", row)),
    },
    { key: "why", label: "Why", rank: alphabet(events.text("constraint")), cell: (row) => describeReason(report, row) },
    { key: "killer", label: "Killed by", rank: (row) => report.categories[row], cell: (row) => describeKiller(report, row) },
    { key: "runner_up", label: "Next in line", rank: alphabet(events.text("runner_up")), cell: (row) => describeRunnerUp(report, row) },
    {
      key: "today",
      label: "With today's pins",
      rank: alphabet(events.text("with_todays_pins")),
      cell: (row) => describeToday(report, row),
    },
  ];
  return new PagedTable({ key: "kills", noun: "kills", empty: "No kill matches.", none: "No kill was read.", columns, choose });
}

/**
 * @param {FleetReport} report
 * @param {number} row
 */
function describeVictim({ events }, row) {
  const outcome = OUTCOMES.get(events.text("outcome").get(row) ?? "");
  if (outcome !== undefined) return create("span", { class: "notice" }, outcome);
  const pid = events.number("pid")[row];
  const others = events.number("victims_count")[row] - 1;
  const name = createWords(events.text("name").get(row) ?? "a process", 64);
  name.classList.add("strong");
  return create(
    "span",
    {},
    name,
    Number.isNaN(pid) ? null : small(` ${pid}`),
    others > 0 ? small(` and ${formatNumber(others)} more`) : null,
  );
}

/**
 * @param {string | null} container
 * @param {string | null} pod
 * @param {string | null} unit
 */
function describeOwner(container, pod, unit) {
  const owner = container ?? pod ?? unit;
  const outside = [pod, unit].find((one) => one !== null && one !== owner) ?? null;
  return create("span", {}, createWords(owner, 80), outside === null ? null : create("br"), outside === null ? null : small(createWords(outside, 80)));
}

/**
 * @param {FleetReport} report
 * @param {number} row
 */
function describeReason({ events }, row) {
  const killer = events.text("killer").get(row);
  const constraint = events.text("constraint").get(row);
  const limit = events.number("limit_kb")[row];
  const unstated = killer === "kernel" ? "the log does not say" : "decision of a program";
  const reason = constraint === null ? unstated : (CONSTRAINTS.get(constraint) ?? constraint);
  const why = events.text("why").get(row);
  return create(
    "span",
    {},
    createWords(Number.isNaN(limit) ? reason : `${reason} of ${formatSize(limit)}`),
    why === null ? null : create("br"),
    why === null ? null : small(createWords(why, 200)),
  );
}

/**
 * @param {FleetReport} report
 * @param {number} row
 */
function describeKiller(report, row) {
  const category = CATEGORIES[report.categories[row]];
  const swatch = create("span", { class: "swatch", "data-killer": category.key });
  const label = createWords(report.events.text("killer").get(row) ?? "unknown", 40);
  return create("span", {}, swatch, label, category.key === "forged" ? small(" not from the kernel") : null);
}

/**
 * @param {FleetReport} report
 * @param {number} row
 */
function describeRunnerUp({ events }, row) {
  const name = events.text("runner_up").get(row);
  const margin = events.number("margin_kb")[row];
  if (name === null) return create("span", { class: "none" }, "none in the log");
  const distance = margin < 0 ? `${formatSize(-margin)} worse, but passed over` : `${formatSize(margin)} behind`;
  return create("span", {}, createWords(name, 80), Number.isNaN(margin) ? null : create("br"), Number.isNaN(margin) ? null : small(distance));
}

/**
 * @param {FleetReport} report
 * @param {number} row
 */
function describeToday({ events }, row) {
  const answer = events.text("with_todays_pins").get(row);
  const text = events.text("with_todays_pins_text").get(row);
  if (answer === null) return create("span", { class: "none" }, "not known");
  const words = create("span", { class: answer === "other" ? "strong" : null }, TODAY.get(answer) ?? "not known");
  return create("span", {}, words, answer === "other" && text !== null ? create("br") : null, answer === "other" && text !== null ? small(createWords(text, 160)) : null);
}

// --- findings ------------------------------------------------------------------------

/** A kind of finding, and the hosts that have it. */
class FindingKind {
  /**
   * @param {string} id
   * @param {string} severity
   */
  constructor(id, severity) {
    this.id = id;
    this.severity = SEVERITIES.includes(severity) ? severity : "low";
    this.hosts = 0;
    this.example = -1;
    this.newest = NaN;
  }

  /** Return the sort key: the most severe first, then those of the most hosts. */
  rank() {
    return SEVERITIES.indexOf(this.severity) * 1e9 - this.hosts;
  }
}

/** Shows hosts x findings. Hosts with the same findings are one row. */
class FindingMatrix {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.pager = new Pager("hosts with findings", (number) => this.turnTo(number));
    this.frame = find("findings-table");
    this.list = find("findings-list");
    this.view = VIEWS.findings;
  }

  /** @param {number} number */
  turnTo(number) {
    if (number >= 1 && number !== this.pager.page) this.page.choose({ findings: { ...this.view, page: number } });
  }

  /**
   * @param {Uint8Array} mask the findings that are left
   * @param {State} state
   */
  show(mask, state) {
    this.view = state.findings;
    const kindsOf = this.collect(mask);
    const kinds = [...new Set([...kindsOf.values()].flatMap((set) => [...set]))].sort((one, other) => one.rank() - other.rank());
    const shown = kinds.slice(0, MOST_FINDINGS);
    const groups = groupHosts(kindsOf, shown);
    const rows = this.pager.cut(groups, state.findings.page).map((group) => this.createGroup(group, shown));
    const caption = `${countOf(countRows(mask), "finding")} on ${countOf(kindsOf.size, "host")}; hosts with the same findings share a row.`;
    const more = kinds.length - shown.length;
    const table = create(
      "table",
      { class: "matrix" },
      create("caption", {}, create("span", {}, more > 0 ? `${caption} ${countOf(more, "more kind")} of findings: narrow the search.` : caption)),
      create("thead", {}, create("tr", {}, create("th", { scope: "col" }, "Hosts"), ...shown.map((kind) => this.createHeader(kind, state)))),
      create("tbody", {}, ...rows),
    );
    const empty = create("p", { class: "empty" }, mask.length === 0 ? "No host has a finding." : "No finding matches.");
    replaceChildren(this.frame, rows.length > 0 ? create("div", { class: "scroll", role: "group", tabindex: 0, "aria-label": "Hosts and findings" }, table) : empty, this.pager.element);
    this.fillList(shown);
  }

  /**
   * Return the kinds of findings of each host that has some.
   * @param {Uint8Array} mask
   */
  collect(mask) {
    const { findings } = this.page.report;
    const hosts = findings.number("host");
    const firstSeen = findings.number("first_seen");
    /** @type {Map<string, FindingKind>} */
    const kinds = new Map();
    /** @type {Map<number, Set<FindingKind>>} */
    const kindsOf = new Map();
    for (const row of listRows(mask)) {
      const id = findings.text("id").get(row) ?? "no id";
      const severity = findings.text("severity").get(row) ?? "low";
      const key = `${severity} ${id}`;
      const kind = kinds.get(key) ?? new FindingKind(id, severity);
      kinds.set(key, kind);
      const ofHost = kindsOf.get(hosts[row]) ?? new Set();
      kindsOf.set(hosts[row], ofHost);
      if (!ofHost.has(kind)) kind.hosts += 1;
      ofHost.add(kind);
      if (kind.example < 0 || firstSeen[row] > kind.newest) {
        kind.example = row;
        kind.newest = firstSeen[row];
      }
    }
    return kindsOf;
  }

  /**
   * @param {FindingKind} kind
   * @param {State} state
   */
  createHeader(kind, state) {
    const isChosen = state.q === kind.id;
    const label = createButton(shorten(printable(kind.id), 32), () => this.page.choose({ q: isChosen ? "" : kind.id.slice(0, LONGEST_WORDS) }), {
      class: "link",
      "aria-pressed": String(isChosen),
    });
    const count = create("span", { class: "number", title: countOf(kind.hosts, "host") }, formatNumber(kind.hosts));
    return create("th", { scope: "col", "data-severity": kind.severity }, create("div", {}, create("span", { class: "slant" }, label), count));
  }

  /**
   * @param {{hosts: number[], kinds: Set<FindingKind>}} group
   * @param {FindingKind[]} shown
   */
  createGroup({ hosts, kinds }, shown) {
    const cells = shown.map((kind) =>
      kinds.has(kind)
        ? create("td", { "data-severity": kind.severity, title: printable(kind.id) }, create("span", {}, kind.severity))
        : create("td", {}),
    );
    return create("tr", {}, create("th", { scope: "row" }, this.nameGroup(hosts)), ...cells);
  }

  /** @param {number[]} hosts */
  nameGroup(hosts) {
    if (hosts.length === 1) return createHost(this.page, hosts[0]);
    const names = this.page.report.hosts.text("name");
    const first = shorten(printable(names.get(hosts[0]) ?? "no name"), 40);
    const details = create("details", {}, create("summary", {}, `${countOf(hosts.length, "host")}: `, create("span", { class: "words" }, `${first}, \u2026`)));
    // The list is made when somebody looks at it: there may be thousands.
    details.addEventListener("toggle", () => {
      if (details.childElementCount > 1) return;
      const items = hosts.slice(0, MOST_NAMES).map((host) => create("li", {}, createHost(this.page, host)));
      if (hosts.length > MOST_NAMES) items.push(create("li", {}, `${formatNumber(hosts.length - MOST_NAMES)} more: narrow the search.`));
      details.append(create("ul", { class: "names" }, ...items));
    });
    return details;
  }

  /** @param {FindingKind[]} kinds */
  fillList(kinds) {
    const { report } = this.page;
    const rows = kinds.map((kind) =>
      create(
        "tr",
        {},
        create("td", {}, createSeverity(kind.severity)),
        create("th", { scope: "row" }, createWords(kind.id, 60)),
        create("td", { class: "numeric" }, formatNumber(kind.hosts)),
        create("td", {}, create("span", { class: "time" }, formatTime(kind.newest).slice(0, 16))),
        create("td", {}, createWords(report.findings.text("message").get(kind.example), 300)),
      ),
    );
    const names = ["Severity", "Finding", "Hosts", "Newest since (UTC)", "Newest example"];
    const heads = names.map((name) => create("th", { scope: "col", class: name === "Hosts" ? "numeric" : null }, name));
    this.list.replaceChildren(
      create("table", {}, create("caption", {}, "Each kind of finding"), create("thead", {}, create("tr", {}, ...heads)), create("tbody", {}, ...rows)),
    );
  }
}

/**
 * Return hosts in groups with the same findings: the worst group first, then the largest.
 * @param {Map<number, Set<FindingKind>>} kindsOf
 * @param {FindingKind[]} kinds in the order of the columns
 */
function groupHosts(kindsOf, kinds) {
  /** @type {Map<string, {key: string, hosts: number[], kinds: Set<FindingKind>}>} */
  const groups = new Map();
  for (const [host, set] of kindsOf) {
    const counts = SEVERITIES.map((severity) => [...set].filter((kind) => kind.severity === severity).length);
    const worst = counts.map((count) => String.fromCharCode(Math.min(count, 99) + 32)).join("");
    const key = worst + kinds.map((kind) => (set.has(kind) ? "1" : "0")).join("");
    const group = groups.get(key) ?? { key, hosts: [], kinds: set };
    group.hosts.push(host);
    groups.set(key, group);
  }
  return [...groups.values()].sort((one, other) => compareCodes(other.key.slice(0, 3), one.key.slice(0, 3)) || other.hosts.length - one.hosts.length || compareCodes(other.key, one.key));
}

/**
 * @param {string} one
 * @param {string} other
 */
function compareCodes(one, other) {
  return one < other ? -1 : Number(one > other);
}

/** @param {string} severity */
function createSeverity(severity) {
  const known = SEVERITIES.includes(severity) ? severity : "low";
  return create("span", { class: "badge", "data-severity": known }, known);
}

// --- hosts ---------------------------------------------------------------------------

/** Shows the hosts with their next victim, kills and findings. */
class HostSection {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    const { report } = page;
    this.severities = SEVERITIES.map(() => new Uint32Array(report.hosts.length));
    this.countFindings();
    this.kills = new Uint32Array(report.hosts.length);
    this.perBucket = new Uint16Array(0);
    this.most = 1;
    this.table = new PagedTable({ key: "hosts", noun: "hosts", empty: "No host matches.", none: "The report has no host.", columns: this.listColumns(), choose: page.choose });
  }

  countFindings() {
    const { findings } = this.page.report;
    const hosts = findings.number("host");
    const column = findings.text("severity");
    const places = column.values.map((severity) => SEVERITIES.indexOf(severity));
    for (let row = 0; row < findings.length; row += 1) {
      const place = places[column.codes[row]] ?? -1;
      if (place >= 0) this.severities[place][hosts[row]] += 1;
    }
  }

  /** @returns {Column[]} */
  listColumns() {
    const { report } = this.page;
    const { hosts } = report;
    const size = (/** @type {string} */ key) => hosts.number(key);
    return [
      { key: "name", label: "Host", isHeader: true, rank: alphabet(hosts.text("name")), cell: (host) => this.describeHost(host) },
      { key: "attention", label: "Findings", changes: true, rank: (host) => this.rank(host), cell: (host) => this.describeFindings(host) },
      { key: "kills", label: "Kills", changes: true, rank: (host) => this.kills[host], cell: (host) => this.describeKills(host) },
      { key: "victim", label: "Next victim", rank: alphabet(hosts.text("victim_name")), cell: (host) => this.describeVictim(host) },
      { key: "margin", label: "Ahead by", isNumeric: true, rank: (host) => size("victim_margin_kb")[host], cell: (host) => formatSize(size("victim_margin_kb")[host]) },
      { key: "room", label: "Room left", rank: (host) => size("room_kb")[host] / size("limit_kb")[host], cell: (host) => createMeter(size("room_kb")[host], size("limit_kb")[host]) },
      { key: "unlogged", label: "Unlogged kills", isNumeric: true, rank: (host) => size("unlogged_kills")[host], cell: (host) => formatCount(size("unlogged_kills")[host]) },
      { key: "read", label: "Read (UTC)", rank: (host) => size("read")[host], cell: (host) => this.describeRead(host) },
    ];
  }

  /**
   * Return a number that is higher the sooner somebody should look at a host.
   * @param {number} host
   */
  rank(host) {
    const [high, medium, low] = this.severities.map((counts) => Math.min(counts[host], 99));
    const isSilent = this.page.report.hosts.text("state").get(host) === "ok" ? 0 : 1;
    return (((isSilent * 100 + high) * 100 + medium) * 100 + low) * 1e6 + Math.min(this.kills[host], 999999);
  }

  /**
   * @param {SelectedRows} selection
   * @param {State} state
   */
  show(selection, state) {
    const { report, buckets } = this.page;
    const hosts = report.events.number("host");
    const mask = selection.events;
    this.kills.fill(0);
    this.perBucket = new Uint16Array(report.hosts.length * buckets.count);
    this.most = 1;
    for (let row = 0; row < mask.length; row += 1) {
      if (mask[row] === 0 || !CATEGORIES[report.categories[row]].isKill) continue;
      this.kills[hosts[row]] += 1;
      const bucket = buckets.ofEvent[row];
      if (bucket < 0) continue;
      const number = ++this.perBucket[hosts[row] * buckets.count + bucket];
      if (number > this.most) this.most = number;
    }
    const left = countRows(selection.hosts);
    const caption = left === report.hosts.length ? `All ${countOf(left, "host")}.` : `${formatNumber(left)} of ${countOf(report.hosts.length, "host")}.`;
    this.table.show(selection.hosts, state.hosts, caption);
  }

  /** @param {number} host */
  describeHost(host) {
    const { hosts } = this.page.report;
    const state = hosts.text("state").get(host) ?? "failed";
    const name = createHost(this.page, host);
    if (state === "ok") return name;
    const reason = hosts.text("reason").get(host);
    return create("span", {}, name, create("br"), create("span", { class: "badge", "data-severity": "high" }, STATES.get(state) ?? "failed"), reason ? small(" ", createWords(reason, 120)) : null);
  }

  /** @param {number} host */
  describeRead(host) {
    const { hosts, made } = this.page.report;
    const read = hosts.number("read")[host];
    const time = create("span", { class: "time" }, formatTime(read).slice(0, 16));
    // What an older run read may no longer be true.
    return made - read > 86400 ? create("span", {}, time, create("br"), small(`${formatAge(read, made)} before`)) : time;
  }

  /** @param {number} host */
  describeFindings(host) {
    const badges = SEVERITIES.map((severity, place) => [severity, this.severities[place][host]]).filter(([_severity, count]) => Number(count) > 0);
    if (badges.length === 0) return create("span", { class: "none" }, "none");
    return create("span", { class: "badges" }, ...badges.map(([severity, count]) => create("span", { class: "badge", "data-severity": severity }, `${count} ${severity}`)));
  }

  /** @param {number} host */
  describeKills(host) {
    const { count } = this.page.buckets;
    const counts = this.perBucket.subarray(host * count, (host + 1) * count);
    return create("span", { class: "trend" }, create("span", { class: "number" }, formatNumber(this.kills[host])), createSparkline(counts, this.most));
  }

  /** @param {number} host */
  describeVictim(host) {
    const { hosts } = this.page.report;
    const name = hosts.text("victim_name").get(host);
    if (name === null) return create("span", { class: "none" }, hosts.number("panics")[host] === 1 ? "the host panics" : "not known");
    const owner = hosts.text("victim_container").get(host) ?? hosts.text("victim_unit").get(host);
    const isSure = hosts.number("victim_certain")[host] === 1;
    return create("span", {}, createWords(name, 64), isSure ? null : small(" likely"), owner === null ? null : create("br"), owner === null ? null : small(createWords(owner, 80)));
  }
}

/** @param {number} value */
function formatCount(value) {
  return Number.isNaN(value) ? "unknown" : formatNumber(value);
}

/**
 * Show how much of a limit is left.
 * @param {number} room in KiB
 * @param {number} limit in KiB
 */
function createMeter(room, limit) {
  if (Number.isNaN(room)) return create("span", { class: "none" }, "unknown");
  const share = limit > 0 ? Math.min(1, Math.max(0, room / limit)) : 0;
  const bar = createSvg(
    "svg",
    { class: "meter", viewBox: "0 0 60 6", width: 60, height: 6, "aria-hidden": "true" },
    createSvg("rect", { class: "base", x: 0, y: 0, width: 60, height: 6, rx: 3 }),
    createSvg("rect", { x: 0, y: 0, width: Math.max(2, Math.round(share * 60)), height: 6, rx: 3, class: share < 0.1 ? "short" : null }),
  );
  return create("span", { class: "room" }, bar, Number.isNaN(limit) ? formatSize(room) : `${formatSize(room)} of ${formatSize(limit)}`);
}

// --- what the logs lack, and what changed --------------------------------------------------

/** @param {Page} page */
function createUnloggedTable(page) {
  const { report, choose } = page;
  const { hosts } = report;
  const unlogged = hosts.number("unlogged_kills");
  /** @type {Column[]} */
  const columns = [
    { key: "name", label: "Host", isHeader: true, rank: alphabet(hosts.text("name")), cell: (host) => createHost(page, host) },
    { key: "unlogged", label: "Unlogged kills", isNumeric: true, rank: (host) => unlogged[host], cell: (host) => formatCount(unlogged[host]) },
    { key: "lost", label: "What the log lacks", cell: (host) => createTexts(listLost(report, host)) },
  ];
  return new PagedTable({ key: "unlogged", noun: "hosts with unlogged kills", empty: "No host has kills that its log lacks.", columns, choose });
}

/**
 * @param {FleetReport} report
 * @param {number} host
 */
function listLost(report, host) {
  const texts = report.table("lost").text("text");
  return Array.from(report.rowsOf("lost", host), (row) => texts.get(row) ?? "");
}

/** @param {string[]} texts */
function createTexts(texts) {
  return create("span", {}, ...texts.slice(0, 3).flatMap((text, index) => [index > 0 ? create("br") : null, createWords(text, 300)]));
}

/**
 * Return the hosts whose log lacks kills, or may lack some.
 * @param {FleetReport} report
 * @param {Uint8Array} hosts
 */
function maskUnlogged(report, hosts) {
  const unlogged = report.hosts.number("unlogged_kills");
  return hosts.map((isLeft, host) => isLeft & Number(unlogged[host] > 0 || report.rowsOf("lost", host).length > 0));
}

/** @param {Page} page */
function createChangeTable(page) {
  const { report, choose } = page;
  const { changes } = report;
  const seen = changes.number("seen");
  const hostOf = changes.number("host");
  const names = () => report.hosts.text("name").ranks();
  const words = (/** @type {string} */ key) => (/** @type {number} */ row) => createWords(changes.text(key).get(row));
  /** @type {Column[]} */
  const columns = [
    {
      key: "seen",
      label: "Seen (UTC)",
      rank: (row) => seen[row],
      cell: (row) => create("span", {}, create("span", { class: "time" }, formatTime(seen[row]).slice(0, 16)), Number.isNaN(seen[row]) ? null : small(` ${formatAge(seen[row], report.made)} ago`)),
    },
    { key: "host", label: "Host", isHeader: true, rank: (row) => names()[hostOf[row]], cell: (row) => createHost(page, hostOf[row]) },
    { key: "what", label: "What changed", rank: alphabet(changes.text("what")), cell: words("what") },
    { key: "before", label: "Before", rank: alphabet(changes.text("before")), cell: words("before") },
    { key: "after", label: "Now", rank: alphabet(changes.text("after")), cell: words("after") },
  ];
  return new PagedTable({ key: "changes", noun: "changes", empty: "Nothing that matches has changed.", none: "No change was seen.", columns, choose });
}
