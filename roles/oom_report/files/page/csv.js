// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Write the kills that are shown as CSV that a spreadsheet opens without running anything.

// What a spreadsheet may read as a formula: at the start of a cell, and behind what would start one
// where another character separates cells. As in report_document.py.
const FORMULA = /(^|[,;|\t])([\s"']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/** The columns of the file, and how to read each from a row of the events. */
const CSV_COLUMNS = /** @type {[string, (report: FleetReport, row: number) => string][]} */ ([
  ["time", (report, row) => formatIso(report.events.number("time")[row])],
  ["host", (report, row) => quoteText(report.hosts.text("name").get(report.events.number("host")[row]))],
  ["killer", csvText("killer")],
  ["outcome", csvText("outcome")],
  ["constraint", csvText("constraint")],
  ["trusted", (report, row) => ["false", "true"][report.events.number("trusted")[row]] ?? ""],
  ["name", csvText("name")],
  ["pid", csvNumber("pid")],
  ["victims_count", csvNumber("victims_count")],
  ["unit", csvText("unit")],
  ["container", csvText("container")],
  ["pod", csvText("pod")],
  ["limit_kb", csvNumber("limit_kb")],
  ["rss_kb", csvNumber("rss_kb")],
  ["score", csvNumber("score")],
  ["text", csvText("text")],
  ["why", csvText("why")],
  ["runner_up", csvText("runner_up")],
  ["margin_kb", csvNumber("margin_kb")],
  ["with_todays_pins", csvText("with_todays_pins")],
  ["with_todays_pins_text", csvText("with_todays_pins_text")],
  ["id", csvText("id")],
]);

/**
 * Return the CSV of rows of the events.
 * @param {FleetReport} report
 * @param {number[]} rows
 */
function writeCsv(report, rows) {
  const lines = [CSV_COLUMNS.map(([name]) => name).join(",")];
  for (const row of rows) lines.push(CSV_COLUMNS.map(([_name, read]) => read(report, row)).join(","));
  return lines.map((line) => `${line}\r\n`).join("");
}

/**
 * Return a text as a quoted cell that is no formula.
 * @param {string | null} text
 */
function quoteText(text) {
  if (text === null) return "";
  return `"${printable(text).replace(FORMULA, "$1'$2").replaceAll('"', '""')}"`;
}

/** @param {string} key */
function csvText(key) {
  return (/** @type {FleetReport} */ report, /** @type {number} */ row) => quoteText(report.events.text(key).get(row));
}

/** @param {string} key */
function csvNumber(key) {
  return (/** @type {FleetReport} */ report, /** @type {number} */ row) => {
    const value = report.events.number(key)[row];
    return Number.isNaN(value) ? "" : String(value);
  };
}

/**
 * Give a text to the person as a file.
 * @param {string} name
 * @param {string} text
 */
function saveFile(name, text) {
  const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
