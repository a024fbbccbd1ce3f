// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Read the data of the page. plugins/plugin_utils/report_page.py packs them.

// Times beyond these cannot be shown. They are those of ECMAScript, in seconds.
const LATEST = 8.64e12;

/** A column of texts: the different values, and for each row the index of its value, or -1. */
class TextColumn {
  /** @param {{values: string[], places: number[]}} packed */
  constructor({ values, places }) {
    this.values = values;
    this.codes = new Int32Array(places.length);
    let next = 0;
    for (let row = 0; row < places.length; row += 1) {
      const place = places[row];
      this.codes[row] = place === 0 ? next++ : place < 0 ? -1 : place - 1;
    }
    /** @type {string[] | null} */
    this.lowered = null;
    /** @type {Float64Array | null} */
    this.order = null;
    /**
     * Puts names back into a text.
     * @type {((text: string, row: number) => string) | null}
     */
    this.complete = null;
  }

  /**
   * @param {number} row
   * @returns {string | null}
   */
  get(row) {
    const code = this.codes[row];
    if (code < 0) return null;
    return this.complete === null ? this.values[code] : this.complete(this.values[code], row);
  }

  /** Return the values in lower case. */
  lower() {
    this.lowered ??= this.values.map((value) => value.toLowerCase());
    return this.lowered;
  }

  /**
   * Return for each value whether it contains a word in lower case.
   * @param {string} word
   */
  contains(word) {
    const lowered = this.lower();
    const hits = new Uint8Array(lowered.length);
    for (let code = 0; code < hits.length; code += 1) hits[code] = Number(lowered[code].includes(word));
    return hits;
  }

  /** Return for each row the place of its text in the alphabet; NaN without a text. */
  ranks() {
    if (this.order === null) {
      const collator = new Intl.Collator("en", { numeric: true });
      const sorted = [...this.values.keys()].sort((one, other) => collator.compare(this.values[one], this.values[other]));
      const places = new Float64Array(this.values.length);
      sorted.forEach((code, place) => (places[code] = place));
      this.order = Float64Array.from(this.codes, (code) => (code < 0 ? NaN : places[code]));
    }
    return this.order;
  }
}

/** Holds the columns of one table. */
class DataTable {
  /** @param {any} packed */
  constructor(packed) {
    /** @type {Map<string, TextColumn>} */
    this.texts = new Map();
    /** @type {Map<string, Float64Array>} */
    this.numbers = new Map();
    const { texts, steps, ...numbers } = packed;
    for (const [key, column] of Object.entries(texts)) this.texts.set(key, new TextColumn(/** @type {any} */ (column)));
    for (const [key, column] of Object.entries(numbers)) {
      this.numbers.set(key, Float64Array.from(/** @type {any} */ (column), (value) => value ?? NaN));
    }
    for (const [key, column] of Object.entries(steps)) this.numbers.set(key, addPrevious(/** @type {any} */ (column)));
    this.length = [...this.texts.values()][0].codes.length;
  }

  /** @param {string} key */
  text(key) {
    return /** @type {TextColumn} */ (this.texts.get(key));
  }

  /** @param {string} key */
  number(key) {
    return /** @type {Float64Array} */ (this.numbers.get(key));
  }
}

/**
 * Return integers from their differences.
 * @param {(number | null)[]} differences
 */
function addPrevious(differences) {
  let previous = 0;
  return Float64Array.from(differences, (value) => {
    if (value === null) return NaN;
    previous += value;
    return Math.abs(previous) <= LATEST ? previous : NaN;
  });
}

/** Holds the rows of a table by host. */
class RowsByHost {
  /**
   * @param {Float64Array} hosts the host of each row
   * @param {number} count of hosts
   */
  constructor(hosts, count) {
    this.starts = new Uint32Array(count + 1);
    for (const host of hosts) this.starts[host + 1] += 1;
    for (let host = 0; host < count; host += 1) this.starts[host + 1] += this.starts[host];
    const next = this.starts.slice();
    this.rows = new Uint32Array(hosts.length);
    hosts.forEach((host, row) => (this.rows[next[host]++] = row));
  }

  /**
   * Return the rows of one host, in the order of the table.
   * @param {number} host
   */
  of(host) {
    return this.rows.subarray(this.starts[host], this.starts[host + 1]);
  }
}

/** Holds the report: tables, and their rows by host. */
class FleetReport {
  /** @param {any} packed */
  constructor(packed) {
    this.made = packed.made ?? 0;
    this.since = packed.since ?? this.made;
    this.version = packed.collection_version ?? "";
    this.leftOut = packed.left_out;
    /** @type {Map<string, DataTable>} */
    this.tables = new Map(Object.entries(packed.tables).map(([key, table]) => [key, new DataTable(table)]));
    this.hosts = this.table("hosts");
    this.events = this.table("events");
    this.findings = this.table("findings");
    this.changes = this.table("changes");
    /** @type {Map<string, RowsByHost>} */
    this.byHost = new Map();
    this.categories = this.categorize();
    for (const key of ABBREVIATED) this.events.text(key).complete = (text, row) => this.nameProcesses(text, row);
  }

  /** @param {string} key */
  table(key) {
    return /** @type {DataTable} */ (this.tables.get(key));
  }

  /**
   * Return the rows of a table that belong to a host.
   * @param {string} key
   * @param {number} host
   */
  rowsOf(key, host) {
    let rows = this.byHost.get(key);
    if (rows === undefined) {
      rows = new RowsByHost(this.table(key).number("host"), this.hosts.length);
      this.byHost.set(key, rows);
    }
    return rows.of(host);
  }

  /**
   * Return a text of an event with the names that its marks stand for.
   * @param {string} text
   * @param {number} row
   */
  nameProcesses(text, row) {
    const victim = `${this.events.text("name").get(row)}[${this.events.number("pid")[row]}]`;
    const rival = this.events.text("runner_up").get(row) ?? "";
    return text.replaceAll("\u0001", () => victim).replaceAll("\u0002", () => rival);
  }

  /** Return the category of each event: an index into CATEGORIES. */
  categorize() {
    const killers = this.events.text("killer");
    const outcomes = this.events.text("outcome");
    const trusted = this.events.number("trusted");
    const ofKiller = killers.values.map((killer) => {
      const index = KILLERS.indexOf(killer);
      return index < 0 ? OTHER : index;
    });
    const isKill = outcomes.values.map((outcome) => outcome === "kill" || outcome === "group_kill");
    return Uint8Array.from({ length: this.events.length }, (_nothing, row) => {
      if (trusted[row] === 0) return FORGED;
      if (!isKill[outcomes.codes[row]]) return NO_KILL;
      return ofKiller[killers.codes[row]] ?? OTHER;
    });
  }
}

// The texts in which report_page.py abbreviates the names of the victim and the runner-up.
const ABBREVIATED = ["text", "why", "with_todays_pins_text"];
const KILLERS = ["kernel", "systemd-oomd", "earlyoom", "nohang", "oomd"];
const OTHER = KILLERS.length;
const NO_KILL = OTHER + 1;
const FORGED = OTHER + 2;

/** What an event counts as: a kill by one of these killers, or no kill. */
const CATEGORIES = [
  ...KILLERS.map((killer) => ({ key: killer, label: killer, isKill: true })),
  { key: "other", label: "another killer", isKill: true },
  { key: "no_kill", label: "no kill", isKill: false },
  { key: "forged", label: "not from the kernel", isKill: false },
];

/**
 * Read the report from the base64 of its gzip.
 * @param {string} text
 * @returns {Promise<FleetReport>}
 */
async function readReport(text) {
  const characters = atob(text.trim());
  const bytes = new Uint8Array(characters.length);
  for (let index = 0; index < characters.length; index += 1) bytes[index] = characters.charCodeAt(index);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new FleetReport(JSON.parse(await new Response(stream).text()));
}
