// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Show long tables in pages, sorted by a column.

const PAGE_ROWS = 25;

/**
 * A column: how to show it, and a number for each row to sort by.
 * @typedef {object} Column
 * @property {string} key
 * @property {string} label
 * @property {(row: number) => Node | string | null} cell
 * @property {(row: number) => number} [rank] without it the table cannot be sorted by this column
 * @property {boolean} [isNumeric]
 * @property {boolean} [isHeader] names the row
 * @property {boolean} [changes] whether filters change the ranks
 */

/** Shows which rows of how many are on a page, and buttons to the other pages. */
class Pager {
  /**
   * @param {string} noun of the rows, in the plural
   * @param {(page: number) => void} choose
   */
  constructor(noun, choose) {
    this.page = 1;
    this.text = create("span", { class: "pages" });
    this.before = createButton("Previous", () => choose(this.page - 1));
    this.after = createButton("Next", () => choose(this.page + 1));
    this.element = create("nav", { class: "pager", "aria-label": `Pages of ${noun}` }, this.before, this.text, this.after);
  }

  /**
   * Return the rows of a page, or of the last page that there is.
   * @template T
   * @param {T[]} rows
   * @param {number} page
   * @returns {T[]}
   */
  cut(rows, page) {
    const pages = Math.max(1, Math.ceil(rows.length / PAGE_ROWS));
    this.page = Math.min(page, pages);
    const start = (this.page - 1) * PAGE_ROWS;
    const shown = rows.slice(start, start + PAGE_ROWS);
    this.text.textContent = `${formatNumber(start + 1)} to ${formatNumber(start + shown.length)} of ${formatNumber(rows.length)}`;
    // A disabled button would lose the focus of the keyboard.
    this.before.setAttribute("aria-disabled", String(this.page === 1));
    this.after.setAttribute("aria-disabled", String(this.page === pages));
    this.element.hidden = pages === 1;
    return shown;
  }
}

/** Shows rows of the data as a table. */
class PagedTable {
  /**
   * @param {object} options
   * @param {ViewKey} options.key
   * @param {string} options.noun of the rows, in the plural
   * @param {string} options.empty what to say if the filters leave no row
   * @param {string} [options.none] what to say if there never was one
   * @param {Column[]} options.columns
   * @param {(changes: Partial<State>) => void} options.choose
   */
  constructor({ key, noun, empty, none = empty, columns, choose }) {
    this.key = key;
    this.empty = empty;
    this.none = none;
    this.columns = columns;
    this.choose = choose;
    this.view = VIEWS[key];
    /** @type {Map<string, Uint32Array>} */
    this.orders = new Map();
    this.caption = create("caption", {});
    this.body = create("tbody", { role: "rowgroup" });
    this.headers = columns.map((column) => this.createHeader(column));
    this.pager = new Pager(noun, (page) => this.turnTo(page));
    const head = create("thead", { role: "rowgroup" }, create("tr", { role: "row" }, ...this.headers));
    // The roles stay when a narrow screen shows each row as a card.
    this.table = create("table", { role: "table", class: "cards" }, this.caption, head, this.body);
    find(`${key}-table`).append(this.table, this.pager.element);
  }

  /** @param {Column} column */
  createHeader(column) {
    const label = column.rank ? createButton(column.label, () => this.sortBy(column), { class: "sort" }) : column.label;
    return create("th", { scope: "col", role: "columnheader", class: column.isNumeric ? `${column.key} numeric` : column.key }, label);
  }

  /** @param {Column} column */
  sortBy(column) {
    const isSame = this.view.column === column.key;
    const descending = isSame ? !this.view.descending : Boolean(column.isNumeric) || column.key === VIEWS[this.key].column;
    this.choose({ [this.key]: { column: column.key, descending, page: 1 } });
  }

  /** @param {number} page */
  turnTo(page) {
    if (page < 1 || page === this.pager.page) return;
    this.choose({ [this.key]: { ...this.view, page } });
  }

  /**
   * @param {Uint8Array} mask the rows that are left
   * @param {View} view
   * @param {string} caption
   */
  show(mask, view, caption) {
    const known = this.columns.find((column) => column.key === view.column && column.rank);
    this.view = known ? view : VIEWS[this.key];
    const sorted = known ?? /** @type {Column} */ (this.columns.find((column) => column.key === this.view.column));
    const order = this.order(sorted, this.view.descending, mask.length);
    const rows = [];
    for (const row of order) if (mask[row] === 1) rows.push(row);
    this.caption.textContent = caption;
    this.columns.forEach((column, index) => {
      const direction = this.view.descending ? "descending" : "ascending";
      setAttributes(this.headers[index], { "aria-sort": column === sorted ? direction : null });
    });
    const shown = this.pager.cut(rows, this.view.page);
    this.body.replaceChildren(...(shown.length > 0 ? shown.map((row) => this.createRow(row)) : [this.createEmpty(mask.length === 0 ? this.none : this.empty)]));
  }

  /**
   * Return all rows sorted by a column. Rows without a number come last, equal ones keep their order.
   * @param {Column} column
   * @param {boolean} descending
   * @param {number} length
   */
  order(column, descending, length) {
    const key = `${descending ? "-" : ""}${column.key}`;
    let order = column.changes ? undefined : this.orders.get(key);
    if (order === undefined) {
      const rank = /** @type {(row: number) => number} */ (column.rank);
      const sign = descending ? -1 : 1;
      const ranks = Float64Array.from({ length }, (_nothing, row) => {
        const place = rank(row);
        return Number.isNaN(place) ? Infinity : sign * place;
      });
      order = Uint32Array.from({ length }, (_nothing, row) => row).sort((one, other) =>
        ranks[one] === ranks[other] ? one - other : ranks[one] < ranks[other] ? -1 : 1,
      );
      this.orders.set(key, order);
    }
    return order;
  }

  /** @param {number} row */
  createRow(row) {
    const cells = this.columns.map((column) => {
      const attributes = { "data-label": column.label, class: column.isNumeric ? "numeric" : null };
      return column.isHeader
        ? create("th", { ...attributes, scope: "row", role: "rowheader" }, column.cell(row))
        : create("td", { ...attributes, role: "cell" }, column.cell(row));
    });
    return create("tr", { role: "row" }, ...cells);
  }

  /** @param {string} words */
  createEmpty(words) {
    const cell = create("td", { role: "cell", class: "empty", colspan: this.columns.length }, words);
    return create("tr", { role: "row" }, cell);
  }
}
