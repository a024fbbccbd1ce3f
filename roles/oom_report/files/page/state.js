// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Keep what is chosen on the page in the hash of its URL. A hash from elsewhere is data, too.

const LONGEST_WORDS = 200;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?Z$/;
const VIEW = /^(-?)([a-z_]{1,30})(?:\.([1-9]\d{0,5}))?$/;
const SEVERITIES = ["high", "medium", "low"];
const THEMES = ["light", "dark"];

/**
 * How a table is shown: the column that sorts it, and the page from 1.
 * @typedef {{column: string, descending: boolean, page: number}} View
 */

/**
 * What is chosen. An empty text, NaN and null stand for no choice; open is the name of a host.
 * @typedef {object} State
 * @property {string} q
 * @property {string} killer
 * @property {string} severity
 * @property {string} host
 * @property {string} unit
 * @property {number} from seconds since 1970
 * @property {number} to seconds since 1970, itself left out
 * @property {string | null} open
 * @property {string} theme
 * @property {View} kills
 * @property {View} findings
 * @property {View} hosts
 * @property {View} unlogged
 * @property {View} changes
 */

/** The views of the tables before anything is chosen. */
const VIEWS = {
  kills: { column: "time", descending: true, page: 1 },
  findings: { column: "severity", descending: true, page: 1 },
  hosts: { column: "attention", descending: true, page: 1 },
  unlogged: { column: "unlogged", descending: true, page: 1 },
  changes: { column: "seen", descending: true, page: 1 },
};
/** @typedef {keyof typeof VIEWS} ViewKey */
const VIEW_KEYS = /** @type {ViewKey[]} */ (Object.keys(VIEWS));
const WORDS = /** @type {const} */ (["q", "host", "unit", "killer", "severity", "theme"]);

/**
 * Return the state of a hash. What is not valid is left out.
 * @param {string} hash
 * @returns {State}
 */
function parseState(hash) {
  const values = new URLSearchParams(hash.replace(/^#/, ""));
  const words = (/** @type {string} */ key) => (values.get(key) ?? "").slice(0, LONGEST_WORDS);
  const oneOf = (/** @type {string} */ key, /** @type {string[]} */ known) =>
    known.find((one) => one === values.get(key)) ?? "";
  const moment = (/** @type {string} */ key) => parseMoment(values.get(key) ?? "");
  const view = (/** @type {ViewKey} */ key) => parseView(values.get(key) ?? "", VIEWS[key]);
  return {
    q: words("q"),
    killer: oneOf("killer", CATEGORIES.map((category) => category.key)),
    severity: oneOf("severity", SEVERITIES),
    host: words("host"),
    unit: words("unit"),
    from: moment("from"),
    to: moment("to"),
    open: values.get("open"),
    theme: oneOf("theme", THEMES),
    kills: view("kills"),
    findings: view("findings"),
    hosts: view("hosts"),
    unlogged: view("unlogged"),
    changes: view("changes"),
  };
}

/**
 * Return the hash of a state, without what is not chosen.
 * @param {State} state
 */
function writeState(state) {
  const values = new URLSearchParams();
  for (const key of WORDS) if (state[key]) values.set(key, state[key]);
  if (state.open !== null) values.set("open", state.open);
  for (const key of /** @type {const} */ (["from", "to"])) {
    if (!Number.isNaN(state[key])) values.set(key, formatIso(state[key]));
  }
  for (const key of VIEW_KEYS) {
    const text = writeView(state[key]);
    if (text !== writeView(VIEWS[key])) values.set(key, text);
  }
  return values.toString();
}

/**
 * Return the seconds since 1970 of a time in ISO 8601 and UTC; NaN for anything else.
 * @param {string} text
 */
function parseMoment(text) {
  return MOMENT.test(text) ? Math.floor(Date.parse(text) / 1000) : NaN;
}

/**
 * @param {string} text
 * @param {View} before the view without a choice
 * @returns {View}
 */
function parseView(text, before) {
  const match = VIEW.exec(text);
  if (match === null) return before;
  return { column: match[2], descending: match[1] === "-", page: Number(match[3] ?? 1) };
}

/** @param {View} view */
function writeView({ column, descending, page }) {
  return `${descending ? "-" : ""}${column}${page > 1 ? `.${page}` : ""}`;
}
