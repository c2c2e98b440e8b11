/**
 * A table whose rows are changed in place: a cell is written only when its contents differ, and a row that is not on the
 * screen only every fifth time. So a table of a hundred servers can follow them once a second.
 *
 * On a narrow screen each row becomes a card (page.css). Explicit roles keep the table a table for screen readers.
 */

import { button, make, setText } from "./dom.js";

/**
 * The contents of a cell: text, and what may be beside it.
 *
 * @typedef {object} Cell
 * @property {string} text
 * @property {string} [detail] smaller text after it
 * @property {number} [bar] 0 to 1
 * @property {string} [tone] `good`, `warning`, `critical` or `quiet`
 * @property {string} [title] is shown when the pointer is on the cell
 * @property {() => void} [open] makes the text a button
 */

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: Row) => Cell | string} cell
 * @property {(row: Row) => number | string} [order] makes the column sortable; numbers begin with the largest
 * @property {boolean} [isNumber] whether the column is aligned to the right
 * @property {boolean} [isCode] whether the text is in a font of fixed width
 * @property {boolean} [isWhole] whether the text stays in one line where there is room for a table
 */

/**
 * A row of the table. `isSeen` says whether it is on the screen.
 *
 * @template Row
 * @typedef {{ row: HTMLElement, cells: CellView[], shown: Row, isSeen: boolean }} Line
 */

/** A row that is not on the screen is written once in this many times. */
const UNSEEN_TURNS_COUNT = 5;

/** A cell on the screen. */
class CellView {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.text = element.appendChild(make("span", { class: "text" }));
    /** @type {HTMLElement | undefined} */
    this.detail = undefined;
    /** @type {HTMLElement | undefined} */
    this.bar = undefined;
    this.shown = "";
    /** @type {(() => void) | undefined} */
    this.open = undefined;
  }

  /** @param {Cell | string} contents */
  show(contents) {
    const cell = typeof contents === "string" ? { text: contents } : contents;
    this.open = cell.open;
    const { text, detail = "", bar = -1, tone = "", title = "" } = cell;
    const shown = `${text}\0${detail}\0${bar.toFixed(3)}\0${tone}\0${title}`;
    if (shown === this.shown) return;
    this.shown = shown;
    if (cell.open !== undefined && this.text.tagName !== "BUTTON") {
      const opener = button(text, () => this.open?.(), { class: "text" });
      this.text.replaceWith(opener);
      this.text = opener;
    }
    setText(this.text, text);
    this.text.dataset.tone = tone;
    if (title !== "") this.element.title = title;
    else this.element.removeAttribute("title");
    if (detail !== "") this.detail ??= this.element.appendChild(make("span", { class: "detail" }));
    if (this.detail !== undefined) setText(this.detail, detail);
    if (bar >= 0) {
      this.bar ??= this.element.appendChild(make("span", { class: "bar", "aria-hidden": "true" }, make("span")));
      this.bar.dataset.tone = tone;
      /** @type {HTMLElement} */ (this.bar.firstChild).style.width = `${Math.min(1, bar) * 100}%`;
    }
    if (this.bar !== undefined) this.bar.hidden = bar < 0;
  }
}

/**
 * A table of rows that have keys.
 *
 * @template Row
 */
export class Table {
  /**
   * @param {HTMLElement} parent gets the table
   * @param {string} name for screen readers
   * @param {readonly Column<Row>[]} columns
   * @param {(row: Row) => string} keyOf
   * @param {string} emptyText stands in the place of rows
   */
  constructor(parent, name, columns, keyOf, emptyText) {
    this.columns = columns;
    this.keyOf = keyOf;
    this.emptyText = emptyText;
    /** @type {Map<string, Line<Row>>} */
    this.lines = new Map();
    /** @type {readonly Row[]} */
    this.rows = [];
    /** The index of the column that the rows are sorted by; -1 for the order in which they come. */
    this.sorted = -1;
    this.isReverse = false;
    this.heads = columns.map((column, i) => this.head(column, i));
    this.body = make("tbody", { role: "rowgroup" });
    /** Counts the calls of `show`. */
    this.turns = 0;
    /** @type {WeakMap<Element, Line<Row>>} */
    this.linesByRow = new WeakMap();
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const line = this.linesByRow.get(target);
        if (line === undefined) continue;
        line.isSeen = isIntersecting;
        if (isIntersecting) this.write(line);
      }
    }, { rootMargin: "100px" });
    this.note = make("p", { class: "empty" }, emptyText);
    const heads = make("tr", { role: "row" }, ...this.heads);
    const table = make(
      "table",
      { role: "table", "aria-label": name },
      make("thead", { role: "rowgroup" }, heads),
      this.body,
    );
    parent.append(table, this.note);
  }

  /**
   * @param {Column<Row>} column
   * @param {number} index
   */
  head(column, index) {
    const cell = make("th", { role: "columnheader", scope: "col", class: column.isNumber ? "number" : undefined });
    if (column.order === undefined) cell.append(column.title);
    else cell.append(button(column.title, () => this.sortBy(index)));
    return cell;
  }

  /**
   * Sorts by a column. A second call reverses the order, and a third one returns to the order in which rows come.
   *
   * @param {number} index
   */
  sortBy(index) {
    if (this.sorted !== index) [this.sorted, this.isReverse] = [index, false];
    else if (!this.isReverse) this.isReverse = true;
    else this.sorted = -1;
    this.heads.forEach((head, i) => {
      if (i !== this.sorted) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.isAscending ? "ascending" : "descending");
    });
    this.show(this.rows);
  }

  get isAscending() {
    const [row] = this.rows;
    const order = this.columns[this.sorted]?.order;
    const isText = row !== undefined && order !== undefined && typeof order(row) === "string";
    return isText !== this.isReverse;
  }

  /**
   * Shows these rows in place of the last ones.
   *
   * @param {readonly Row[]} rows
   */
  show(rows) {
    this.rows = rows;
    this.note.hidden = rows.length > 0;
    setText(this.note, this.emptyText);
    const unused = new Set(this.lines.keys());
    // Each time another fifth of the rows has its turn.
    let turn = ++this.turns;
    /** @type {Element | null} */
    let next = this.body.firstElementChild;
    for (const row of this.inOrder(rows)) {
      const key = this.keyOf(row);
      unused.delete(key);
      const line = this.lines.get(key) ?? this.add(key, row);
      line.shown = row;
      if (line.isSeen || turn++ % UNSEEN_TURNS_COUNT === 0) this.write(line);
      // A row that stays in its place is not moved, so that it keeps the focus.
      if (line.row === next) next = next.nextElementSibling;
      else this.body.insertBefore(line.row, next);
    }
    for (const key of unused) {
      const row = this.lines.get(key)?.row;
      if (row !== undefined) this.observer.unobserve(row);
      row?.remove();
      this.lines.delete(key);
    }
  }

  /**
   * Shows a sentence in place of rows.
   *
   * @param {string} sentence
   */
  fail(sentence) {
    this.show([]);
    setText(this.note, sentence);
  }

  /** @param {readonly Row[]} rows */
  inOrder(rows) {
    const order = this.columns[this.sorted]?.order;
    if (order === undefined) return rows;
    const sign = this.isAscending ? 1 : -1;
    return rows.map((row) => ({ row, value: order(row) })).sort((a, b) => {
      if (a.value === b.value) return 0;
      return a.value < b.value ? -sign : sign;
    }).map(({ row }) => row);
  }

  /** @param {Line<Row>} line */
  write({ cells, shown }) {
    this.columns.forEach((column, i) => cells[i]?.show(column.cell(shown)));
  }

  /**
   * Adds a row, which is written for the first time.
   *
   * @param {string} key
   * @param {Row} shown
   * @returns {Line<Row>}
   */
  add(key, shown) {
    const cells = this.columns.map((column, i) => {
      const { isNumber, isCode, isWhole } = column;
      const classes = [isNumber && "number", isCode && "code", isWhole && "whole"].filter(Boolean).join(" ");
      return make(i === 0 ? "th" : "td", {
        role: i === 0 ? "rowheader" : "cell",
        scope: i === 0 ? "row" : undefined,
        class: classes || undefined,
        "data-label": column.title,
      });
    });
    const row = make("tr", { role: "row" }, ...cells);
    const line = { row, cells: cells.map((cell) => new CellView(cell)), shown, isSeen: false };
    this.write(line);
    this.lines.set(key, line);
    this.linesByRow.set(row, line);
    this.observer.observe(row);
    return line;
  }
}
