// Copyright (c) 2026, oomguard.linux contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Draw kills over time, by killer. Dragging over the drawing chooses a range of time.

const STEPS = [3600, 21600, 86400, 604800, 2592000];
const MOST_BARS = 62;
const CHART_HEIGHT = 190;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The spans of time that kills are counted in: from start on, each of step seconds. */
class Buckets {
  /** @param {FleetReport} report */
  constructor(report) {
    const span = Math.max(report.made - report.since, 3600);
    this.step = STEPS.find((step) => span / step <= MOST_BARS) ?? Math.ceil(span / MOST_BARS);
    this.start = Math.floor(report.since / this.step) * this.step;
    this.count = Math.floor((Math.max(report.made, report.since) - this.start) / this.step) + 1;
    this.end = this.start + this.count * this.step;
    /** The bucket of each event; -1 for a time that is unknown or outside of the report. */
    this.ofEvent = Int32Array.from(report.events.number("time"), (time) => {
      const bucket = Math.floor((time - this.start) / this.step);
      return bucket >= 0 && bucket < this.count ? bucket : -1;
    });
  }

  /** @param {number} bucket */
  timeOf(bucket) {
    return this.start + bucket * this.step;
  }

  /** @param {number} bucket */
  label(bucket) {
    const text = formatTime(this.timeOf(bucket));
    return this.step < 86400 ? text.slice(0, 16) : text.slice(0, 10);
  }
}

/**
 * Count events by category and bucket.
 * @param {FleetReport} report
 * @param {Buckets} buckets
 * @param {Uint8Array} mask
 */
function countByBucket(report, buckets, mask) {
  const counts = CATEGORIES.map(() => new Uint32Array(buckets.count));
  for (let row = 0; row < mask.length; row += 1) {
    const bucket = buckets.ofEvent[row];
    if (mask[row] === 1 && bucket >= 0) counts[report.categories[row]][bucket] += 1;
  }
  return counts;
}

/** Shows the chart, its legend, and a table with the same numbers. */
class KillChart {
  /**
   * @param {FleetReport} report
   * @param {Buckets} buckets
   * @param {(changes: Partial<State>) => void} choose
   */
  constructor(report, buckets, choose) {
    this.report = report;
    this.buckets = buckets;
    this.choose = choose;
    this.frame = find("chart");
    this.legend = find("chart-legend");
    this.readout = find("chart-readout");
    this.details = /** @type {HTMLDetailsElement} */ (find("chart-table"));
    this.counts = countByBucket(report, buckets, new Uint8Array(report.events.length));
    // A category that no event of the report has is not shown.
    const all = CATEGORIES.map(() => 0);
    for (const category of report.categories) all[category] += 1;
    this.shown = CATEGORIES.map((_category, index) => index).filter((index) => all[index] > 0);
    this.state = parseState("");
    /** @type {any} */
    this.plot = null;
    this.details.addEventListener("toggle", () => this.fillTable());
    new ResizeObserver(() => this.resize()).observe(this.frame);
  }

  /**
   * @param {Uint8Array} mask the events that count
   * @param {State} state
   */
  show(mask, state) {
    this.counts = countByBucket(this.report, this.buckets, mask);
    this.state = state;
    this.fillLegend(mask);
    if (this.plot === null) this.plot = this.makePlot();
    else this.plot.setData(this.stack());
    this.markRange();
    this.fillTable();
    this.read(null);
  }

  /** Draw again, because the colours have changed. */
  redraw() {
    if (this.plot === null) return;
    this.plot.destroy();
    this.plot = this.makePlot();
    this.markRange();
  }

  resize() {
    const width = this.frame.clientWidth;
    if (this.plot === null || width === 0 || width === this.plot.width) return;
    this.plot.setSize({ width, height: CHART_HEIGHT });
    this.markRange();
  }

  /** Return the data of the plot: the middles of the buckets, then the sums, the largest first. */
  stack() {
    const { buckets } = this;
    const times = Array.from({ length: buckets.count }, (_nothing, bucket) => buckets.timeOf(bucket + 0.5));
    const sums = [];
    let below = new Array(buckets.count).fill(0);
    for (const category of this.shown) {
      below = below.map((sum, bucket) => sum + this.counts[category][bucket]);
      sums.unshift(below);
    }
    return [times, ...sums];
  }

  makePlot() {
    const text = getComputedStyle(this.readout).color;
    const grid = getComputedStyle(this.frame).borderTopColor;
    const axis = { stroke: text, font: `12px ${getComputedStyle(this.frame).fontFamily}`, ticks: { show: false } };
    const { buckets } = this;
    const colours = this.shown.map((category) => getComputedStyle(find(`swatch-${CATEGORIES[category].key}`)).backgroundColor);
    return new uPlot(
      {
        width: this.frame.clientWidth,
        height: CHART_HEIGHT,
        padding: [8, 8, 0, 0],
        legend: { show: false },
        tzDate: (/** @type {number} */ seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        scales: { x: { time: true, range: () => [buckets.start, buckets.end] }, y: { range: yRange } },
        axes: [
          { ...axis, grid: { show: false }, space: 80, size: 28, values: (/** @type {unknown} */ _plot, /** @type {number[]} */ times) => times.map((time) => this.tick(time)) },
          { ...axis, grid: { stroke: grid, width: 1 }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000], size: 44 },
        ],
        series: [
          {},
          ...colours.reverse().map((fill) => ({ fill, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.86, 60] }) })),
        ],
        cursor: {
          y: false,
          points: { show: false },
          drag: { x: true, y: false, setScale: false },
          bind: { dblclick: () => () => this.choose({ from: NaN, to: NaN }) },
        },
        hooks: {
          setSelect: [(/** @type {any} */ plot) => this.chooseRange(plot)],
          setCursor: [(/** @type {any} */ plot) => this.read(plot.cursor.idx ?? null)],
        },
      },
      this.stack(),
      this.frame,
    );
  }

  /**
   * Return the label of a place on the axis of time.
   * @param {number} time
   */
  tick(time) {
    const text = formatTime(time);
    return time % 86400 === 0 ? `${MONTHS[Number(text.slice(5, 7)) - 1]} ${Number(text.slice(8, 10))}` : text.slice(11, 16);
  }

  /**
   * Choose the buckets that were dragged over.
   * @param {any} plot
   */
  chooseRange(plot) {
    if (plot.select.width < 3) return;
    const { start, step, count } = this.buckets;
    const bucketAt = (/** @type {number} */ left) => (plot.posToVal(left, "x") - start) / step;
    const first = Math.max(0, Math.floor(bucketAt(plot.select.left) + 0.25));
    const last = Math.min(count, Math.max(first + 1, Math.ceil(bucketAt(plot.select.left + plot.select.width) - 0.25)));
    this.choose({ from: this.buckets.timeOf(first), to: this.buckets.timeOf(last) });
  }

  /** Mark the chosen range of time in the drawing. */
  markRange() {
    const { from, to } = this.state;
    const { start, end } = this.buckets;
    const isChosen = !Number.isNaN(from) || !Number.isNaN(to);
    const clamp = (/** @type {number} */ time, /** @type {number} */ none) =>
      Math.min(end, Math.max(start, Number.isNaN(time) ? none : time));
    const left = this.plot.valToPos(clamp(from, start), "x");
    const width = isChosen ? this.plot.valToPos(clamp(to, end), "x") - left : 0;
    this.plot.setSelect({ left, width, top: 0, height: this.plot.over.clientHeight }, false);
  }

  /**
   * Say what is in one bucket.
   * @param {number | null} bucket
   */
  read(bucket) {
    if (bucket === null) {
      this.readout.textContent = "Drag over the chart to choose a time.";
      return;
    }
    const parts = this.shown
      .filter((category) => this.counts[category][bucket] > 0)
      .map((category) => `${formatNumber(this.counts[category][bucket])} ${CATEGORIES[category].label}`);
    this.readout.textContent = `${this.buckets.label(bucket)}: ${parts.join(", ") || "no kills"}`;
  }

  /** @param {Uint8Array} mask */
  fillLegend(mask) {
    const counts = CATEGORIES.map(() => 0);
    for (let row = 0; row < mask.length; row += 1) counts[this.report.categories[row]] += mask[row];
    if (this.legend.childElementCount === 0) {
      this.legend.append(...this.shown.map((category) => this.createKey(category)));
    }
    this.shown.forEach((category, index) => {
      const button = /** @type {Element} */ (this.legend.children[index].firstElementChild);
      button.setAttribute("aria-pressed", String(this.state.killer === CATEGORIES[category].key));
      /** @type {Element} */ (button.lastElementChild).textContent = formatNumber(counts[category]);
    });
  }

  /** @param {number} category */
  createKey(category) {
    const { key, label } = CATEGORIES[category];
    const button = createButton("", () => this.choose({ killer: this.state.killer === key ? "" : key }), { class: "key" });
    button.append(
      create("span", { class: "swatch", id: `swatch-${key}`, "data-killer": key }),
      `${label} `,
      create("span", { class: "number" }),
    );
    return create("li", {}, button);
  }

  /** Fill the table with the numbers of the chart, while it is open. */
  fillTable() {
    if (!this.details.open) return;
    const head = create(
      "tr",
      {},
      create("th", { scope: "col" }, "From (UTC)"),
      ...this.shown.map((category) => create("th", { scope: "col", class: "numeric" }, CATEGORIES[category].label)),
    );
    const rows = [];
    for (let bucket = this.buckets.count - 1; bucket >= 0; bucket -= 1) {
      const numbers = this.shown.map((category) => this.counts[category][bucket]);
      if (numbers.some((number) => number > 0)) rows.push(this.createRow(bucket, numbers));
    }
    const table = create(
      "table",
      {},
      create("caption", {}, "Kills over time. Press a time to see only its kills."),
      create("thead", {}, head),
      create("tbody", {}, ...rows),
    );
    replaceChildren(/** @type {Element} */ (this.details.lastElementChild), table);
  }

  /**
   * @param {number} bucket
   * @param {number[]} numbers
   */
  createRow(bucket, numbers) {
    const range = { from: this.buckets.timeOf(bucket), to: this.buckets.timeOf(bucket + 1) };
    return create(
      "tr",
      {},
      create("th", { scope: "row" }, createButton(this.buckets.label(bucket), () => this.choose(range), { class: "link" })),
      ...numbers.map((number) => create("td", { class: "numeric" }, formatNumber(number))),
    );
  }
}

/**
 * Return the range of the numbers' axis: from 0 to at least 4.
 * @param {unknown} _plot
 * @param {number} _least
 * @param {number} most
 */
function yRange(_plot, _least, most) {
  return [0, Math.max(4, (most ?? 0) * 1.08)];
}

/**
 * Draw small bars, all of them with one scale.
 * @param {ArrayLike<number>} counts
 * @param {number} most the number of the highest possible bar
 */
function createSparkline(counts, most) {
  const step = 3;
  const height = 18;
  const width = counts.length * step - 1;
  let path = "";
  for (let bucket = 0; bucket < counts.length; bucket += 1) {
    if (counts[bucket] === 0) continue;
    // The root keeps single kills visible beside a storm of them.
    const size = Math.max(2, Math.round(Math.sqrt(counts[bucket] / most) * height));
    path += `M${bucket * step} ${height}v${-size}h${step - 1}v${size}z`;
  }
  return createSvg(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${width} ${height + 1}`, width, height: height + 1, "aria-hidden": "true" },
    createSvg("path", { class: "base", d: `M0 ${height}h${width}v1h${-width}z` }),
    createSvg("path", { d: path }),
  );
}
