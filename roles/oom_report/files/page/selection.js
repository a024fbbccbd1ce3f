// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Choose the rows of all tables that the filters leave.

const MOST_WORDS = 8;
const SEARCHED = {
  events: ["name", "unit", "container", "pod", "killer", "text", "runner_up"],
  hosts: ["kernel", "reason", "victim_name", "victim_unit", "victim_container"],
  findings: ["id", "object", "message"],
  changes: ["what", "before", "after"],
};
const OWNERS = ["unit", "container", "pod"];

/**
 * The rows that are left, as a byte for each row of a table.
 * @typedef {object} SelectedRows
 * @property {Uint8Array} beforeTime events that all filters but the time leave
 * @property {Uint8Array} events
 * @property {Uint8Array} hosts
 * @property {Uint8Array} findings
 * @property {Uint8Array} changes
 */

/**
 * Return what the filters of a state leave.
 *
 * Search and host filter every table. Killer and unit filter kills, severity filters findings and
 * hosts, and time filters kills and changes.
 * @param {FleetReport} report
 * @param {State} state
 * @returns {SelectedRows}
 */
function select(report, state) {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean).slice(0, MOST_WORDS);
  const hosts = matchTexts(report.hosts, ["name"], state.host);
  const events = searchTable(report, "events", words, hosts);
  keep(events, matchTexts(report.events, OWNERS, state.unit));
  keepKiller(events, report, state.killer);
  const beforeTime = events.slice();
  keepTime(events, report.events.number("time"), state);
  const findings = searchTable(report, "findings", words, hosts);
  keepSeverity(findings, report, state.severity);
  const changes = searchTable(report, "changes", words, hosts);
  keepTime(changes, report.changes.number("seen"), state);
  return { beforeTime, events, findings, changes, hosts: selectHosts(report, state, words, hosts, findings) };
}

/**
 * Return the hosts that match the words, themselves or by a finding, and have the severity.
 * @param {FleetReport} report
 * @param {State} state
 * @param {string[]} words
 * @param {Uint8Array} named hosts that the filter of hosts leaves
 * @param {Uint8Array} findings those that are left
 */
function selectHosts(report, state, words, named, findings) {
  const matched = named.slice();
  for (const word of words) keep(matched, matchTexts(report.hosts, ["name", ...SEARCHED.hosts], word));
  if (words.length > 0) addHosts(matched, report, findings);
  if (state.severity !== "") {
    const severe = new Uint8Array(report.findings.length).fill(1);
    keepSeverity(severe, report, state.severity);
    keep(matched, addHosts(new Uint8Array(report.hosts.length), report, severe));
  }
  return matched;
}

/**
 * Set the hosts of findings.
 * @param {Uint8Array} mask of hosts
 * @param {FleetReport} report
 * @param {Uint8Array} findings
 */
function addHosts(mask, report, findings) {
  const hosts = report.findings.number("host");
  for (let row = 0; row < findings.length; row += 1) mask[hosts[row]] |= findings[row];
  return mask;
}

/**
 * Return the rows of a table that contain all words, each in a column or in the host's name.
 * @param {FleetReport} report
 * @param {"events" | "findings" | "changes"} key
 * @param {string[]} words
 * @param {Uint8Array} hosts whose rows may be left
 */
function searchTable(report, key, words, hosts) {
  const table = report.table(key);
  const mask = byHost(table, hosts);
  for (const word of words) {
    const rows = byHost(table, matchTexts(report.hosts, ["name"], word));
    addTexts(rows, table, SEARCHED[key], word);
    if (key === "events") addPid(rows, table, word);
    keep(mask, rows);
  }
  return mask;
}

/**
 * Return for each row what is set for its host.
 * @param {DataTable} table
 * @param {Uint8Array} hosts
 */
function byHost(table, hosts) {
  // A loop: Uint8Array.from() takes ten times as long.
  const hostOf = table.number("host");
  const mask = new Uint8Array(table.length);
  for (let row = 0; row < mask.length; row += 1) mask[row] = hosts[hostOf[row]];
  return mask;
}

/**
 * Return the rows in which one of the columns contains a text; all rows for an empty one.
 * @param {DataTable} table
 * @param {string[]} keys
 * @param {string} text
 */
function matchTexts(table, keys, text) {
  const mask = new Uint8Array(table.length);
  const word = text.trim().toLowerCase();
  if (word === "") return mask.fill(1);
  addTexts(mask, table, keys, word);
  return mask;
}

/**
 * @param {Uint8Array} mask
 * @param {DataTable} table
 * @param {string[]} keys
 * @param {string} word in lower case
 */
function addTexts(mask, table, keys, word) {
  for (const key of keys) {
    const column = table.text(key);
    const hits = column.contains(word);
    for (let row = 0; row < mask.length; row += 1) {
      const code = column.codes[row];
      if (code >= 0) mask[row] |= hits[code];
    }
  }
}

/**
 * @param {Uint8Array} mask
 * @param {DataTable} events
 * @param {string} word a pid, or another word
 */
function addPid(mask, events, word) {
  if (!/^\d{1,10}$/.test(word)) return;
  const pids = events.number("pid");
  for (let row = 0; row < mask.length; row += 1) mask[row] |= Number(pids[row] === Number(word));
}

/**
 * @param {Uint8Array} mask
 * @param {Uint8Array} other
 */
function keep(mask, other) {
  for (let row = 0; row < mask.length; row += 1) mask[row] &= other[row];
}

/**
 * @param {Uint8Array} mask
 * @param {FleetReport} report
 * @param {string} killer the key of a category
 */
function keepKiller(mask, report, killer) {
  if (killer === "") return;
  const wanted = CATEGORIES.findIndex((category) => category.key === killer);
  for (let row = 0; row < mask.length; row += 1) mask[row] &= Number(report.categories[row] === wanted);
}

/**
 * @param {Uint8Array} mask
 * @param {Float64Array} times
 * @param {State} state
 */
function keepTime(mask, times, { from, to }) {
  // A row without a time is in no range.
  if (!Number.isNaN(from)) for (let row = 0; row < mask.length; row += 1) mask[row] &= Number(times[row] >= from);
  if (!Number.isNaN(to)) for (let row = 0; row < mask.length; row += 1) mask[row] &= Number(times[row] < to);
}

/**
 * @param {Uint8Array} mask
 * @param {FleetReport} report
 * @param {string} severity
 */
function keepSeverity(mask, report, severity) {
  if (severity === "") return;
  const column = report.findings.text("severity");
  const wanted = column.values.indexOf(severity);
  for (let row = 0; row < mask.length; row += 1) mask[row] &= Number(wanted >= 0 && column.codes[row] === wanted);
}

/**
 * Return how many rows are set.
 * @param {Uint8Array} mask
 */
function countRows(mask) {
  let count = 0;
  for (const isLeft of mask) count += isLeft;
  return count;
}

/**
 * Return the numbers of the rows that are set, in order.
 * @param {Uint8Array} mask
 */
function listRows(mask) {
  const rows = [];
  for (let row = 0; row < mask.length; row += 1) if (mask[row] === 1) rows.push(row);
  return rows;
}
