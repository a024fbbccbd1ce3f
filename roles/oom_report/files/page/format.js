// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Put values into words. All times are in UTC.

// Characters that end a line, reorder text, or cannot be seen, and halves of a pair.
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|\p{Surrogate}/gu;
const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"];
const numberFormat = new Intl.NumberFormat("en-US");

/**
 * Return a text in which each character can be seen and none moves another.
 * @param {string} text
 */
function printable(text) {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * @param {string} text
 * @param {number} longest
 */
function shorten(text, longest) {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}\u2026`;
}

/** @param {number} value */
function formatNumber(value) {
  return numberFormat.format(value);
}

/**
 * Return a number with its noun.
 * @param {number} number
 * @param {string} noun
 * @param {string} [plural]
 */
function countOf(number, noun, plural = `${noun}s`) {
  return `${formatNumber(number)} ${number === 1 ? noun : plural}`;
}

/**
 * Return a size with three digits at most; "unknown" for NaN.
 * @param {number} kb in KiB
 */
function formatSize(kb) {
  if (Number.isNaN(kb)) return "unknown";
  let value = kb;
  let unit = 0;
  while (Math.abs(value) >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/**
 * Return a time as ISO 8601 with seconds; "" for NaN.
 * @param {number} seconds since 1970
 */
function formatIso(seconds) {
  return Number.isNaN(seconds) ? "" : `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/**
 * Return a time for a person; "no time" for NaN.
 * @param {number} seconds since 1970
 */
function formatTime(seconds) {
  return Number.isNaN(seconds) ? "no time" : formatIso(seconds).replace("T", " ").slice(0, 19);
}

/**
 * Return how long ago a time was.
 * @param {number} seconds
 * @param {number} now
 */
function formatAge(seconds, now) {
  const age = Math.max(0, now - seconds);
  if (age < 5400) return countOf(Math.round(age / 60), "minute");
  if (age < 129600) return countOf(Math.round(age / 3600), "hour");
  return countOf(Math.round(age / 86400), "day");
}
