// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Make elements. A word of a host becomes text or one of these attributes, never markup or a URL.

const SAFE_ATTRIBUTE =
  /^(?:aria-[a-z]+|class|colspan|d|data-label|data-severity|data-killer|datetime|disabled|fill|height|hidden|href|id|open|role|rx|scope|tabindex|title|type|value|viewBox|width|x|y)$/;
const SVG = "http://www.w3.org/2000/svg";

/**
 * Create an HTML element. A child that is null is left out.
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null>} [attributes]
 * @param {...(Node | string | number | null)} children
 * @returns {HTMLElement}
 */
function create(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

/**
 * Create an SVG element.
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null>} attributes
 * @param {...(Node | string | number | null)} children
 * @returns {Element}
 */
function createSvg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {Record<string, string | number | boolean | null>} attributes
 */
function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (!SAFE_ATTRIBUTE.test(name)) throw new Error(`the attribute ${name} is not a safe one`);
    if (value === null || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * @param {Element} element
 * @param {(Node | string | number | null)[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (child !== null) element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Create a button that calls an action.
 * @param {string} label
 * @param {() => void} action
 * @param {Record<string, string | number | boolean | null>} [attributes]
 */
function createButton(label, action, attributes = {}) {
  const button = create("button", { type: "button", ...attributes }, label);
  button.addEventListener("click", action);
  return button;
}

/**
 * Replace what is in an element. The focus stays on the button with the same label.
 * @param {Element} element
 * @param {...Node} children
 */
function replaceChildren(element, ...children) {
  const focused = document.activeElement;
  const label = focused !== null && element.contains(focused) ? focused.textContent : null;
  element.replaceChildren(...children);
  if (label === null) return;
  [...element.querySelectorAll("button")].find((button) => button.textContent === label)?.focus({ preventScroll: true });
}

/**
 * Create an element with the words of a host in it: escaped, cut, and apart from the text around it.
 * @param {string | null} text
 * @param {number} [longest]
 */
function createWords(text, longest = 160) {
  return create("span", { class: text === null ? "words none" : "words" }, text === null ? "none" : shorten(printable(text), longest));
}

/**
 * Return the element of the page with this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
function find(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element;
}
