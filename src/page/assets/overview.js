/** Shows the state that comes once a second: problems, figures, and the table of servers. */

import { byId, field, make, setText } from "./dom.js";
import * as format from "./format.js";
import { Rates } from "./rates.js";
import { Table } from "./table.js";

/** @import { Overview, Problem, ServerOverview } from "../../metrics/overview.ts" */
/** @import { Cell } from "./table.js" */

/** The part of the page that shows more about a kind of problem, and its title; the servers for all other kinds. */
const PLACES = /** @type {Readonly<Record<string, readonly [href: string, title: string]>>} */ ({
  big_key: ["#hot", "Big keys"],
  hot_key: ["#hot", "Hot keys"],
  slow_commands: ["#slow", "Slow log"],
  clients_near_limit: ["#clients", "Clients"],
});

/** The number of problems of one kind that are shown before the others are folded. */
const SHOWN_OF_KIND_COUNT = 3;
/** From this many servers on, the table has a filter. */
const FILTERED_SERVERS_COUNT = 8;
/** The hash slots of a cluster. */
const SLOTS_COUNT = 16_384;
/** The part of the memory limit from which on memory counts as nearly full. */
const MEMORY_TIGHT = 0.9;
/** Values of a server that are older than this, in ms, are said to be. */
const OLD_AFTER_MS = 5000;

/**
 * A problem on the screen, and others of its kind folded.
 *
 * @typedef {object} ProblemView
 * @property {HTMLElement} item
 * @property {HTMLElement} first
 * @property {HTMLDetailsElement} more
 * @property {HTMLElement} summary
 * @property {HTMLElement} others
 */

/** The list of problems, and what a screen reader says of it. */
export class Problems {
  constructor() {
    /** @type {Map<string, string>} */
    this.known = new Map();
    this.isFirst = true;
    /** @type {Map<string, ProblemView>} */
    this.views = new Map();
  }

  /** @param {Overview} overview */
  show(overview) {
    const { problems, servers, role } = overview;
    this.showList(problems);
    const well = byId("well");
    well.hidden = problems.length > 0;
    well.dataset.tone = "good";
    const up = servers.filter(({ state }) => state === "up").length;
    setText(well, role === "proxy" ? `No problems. ${up} of ${servers.length} servers are up.` : "No problems.");
    this.announce(problems);
    showTitle(overview);
  }

  /**
   * Shows a few problems of each kind, and folds the others. So a hundred servers with one problem do not hide another.
   *
   * @param {readonly Problem[]} problems
   */
  showList(problems) {
    /** @type {Map<string, Problem[]>} */
    const kinds = new Map();
    const isCritical = (/** @type {Problem} */ { severity }) => Number(severity === "critical");
    for (const problem of [...problems].sort((a, b) => isCritical(b) - isCritical(a))) {
      const name = `${problem.severity} ${problem.kind}`;
      const others = kinds.get(name);
      if (others === undefined) kinds.set(name, [problem]);
      else others.push(problem);
    }
    const list = byId("problem-list");
    list.hidden = problems.length === 0;
    const unused = new Set(this.views.keys());
    /** @type {Element | null} */
    let next = list.firstElementChild;
    for (const [name, all] of kinds) {
      all.slice(0, SHOWN_OF_KIND_COUNT).forEach((problem, i) => {
        const key = `${name} ${i}`;
        unused.delete(key);
        const view = this.views.get(key) ?? this.add(key, problem);
        if (view.item === next) next = next.nextElementSibling;
        else list.insertBefore(view.item, next);
        showProblem(view.first, problem);
        fold(view, i + 1 === SHOWN_OF_KIND_COUNT ? all.slice(SHOWN_OF_KIND_COUNT) : []);
      });
    }
    for (const key of unused) {
      this.views.get(key)?.item.remove();
      this.views.delete(key);
    }
  }

  /**
   * @param {string} name
   * @param {Problem} problem
   * @returns {ProblemView}
   */
  add(name, { kind, severity }) {
    const badge = make("span", { class: "severity" }, severity === "critical" ? "Critical" : "Warning");
    const first = make("span", {}, ...problemParts());
    const [href, title] = PLACES[kind] ?? ["#servers", "Servers"];
    const summary = make("summary");
    const others = make("ul");
    const more = /** @type {HTMLDetailsElement} */ (make("details", {}, summary, others));
    const text = make("div", {}, first, " ", make("a", { href }, title), more);
    const item = make("li", { "data-severity": severity }, badge, text);
    const view = { item, first, more, summary, others };
    this.views.set(name, view);
    return view;
  }

  /**
   * Tells a screen reader which problems are new, and which are solved. It says nothing of numbers that change.
   *
   * @param {readonly Problem[]} problems
   */
  announce(problems) {
    const present = new Map(problems.map(({ kind, subject, text }) => [`${kind} ${subject}`, text]));
    const sentences = [];
    for (const [key, text] of present) if (!this.known.has(key)) sentences.push(`New problem: ${text}`);
    for (const [key, text] of this.known) if (!present.has(key)) sentences.push(`Solved: ${text}`);
    if (this.isFirst && problems.length === 0) sentences.push("No problems.");
    this.isFirst = false;
    this.known = present;
    if (sentences.length > 0) setText(byId("announcement"), sentences.slice(0, 5).join(" "));
  }
}

/** Makes the elements of a problem: its subject, and its sentence. */
function problemParts() {
  return [make("strong"), make("span")];
}

/**
 * Shows problems folded.
 *
 * @param {ProblemView} view
 * @param {readonly Problem[]} problems
 */
function fold({ more, summary, others }, problems) {
  more.hidden = problems.length === 0;
  setText(summary, `and ${problems.length} more like it`);
  if (!more.open) return;
  while (others.children.length > problems.length) others.lastElementChild?.remove();
  while (others.children.length < problems.length) others.append(make("li", {}, ...problemParts()));
  problems.forEach((problem, i) => showProblem(/** @type {Element} */ (others.children[i]), problem));
}

/**
 * @param {Element} element
 * @param {Problem} problem
 */
function showProblem(element, { subject, text }) {
  const [strong, sentence] = element.children;
  if (strong !== undefined) setText(strong, `${subject}: `);
  if (sentence !== undefined) setText(sentence, /[.!?]$/.test(text) ? text : `${text}.`);
}

/**
 * Shows the worst problem in the tab: its number in the title, its colour in the icon.
 *
 * @param {Overview} overview
 */
function showTitle({ role, address, problems }) {
  const number = problems.length === 0 ? "" : `(${problems.length}) `;
  const title = `${number}inmem ${role} ${address}`;
  if (document.title !== title) document.title = title;
  const isCritical = problems.some(({ severity }) => severity === "critical");
  const colour = isCritical ? "d1242f" : problems.length > 0 ? "d98200" : "1a8f47";
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#${colour}"/></svg>`;
  const href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  const icon = /** @type {HTMLLinkElement} */ (byId("icon"));
  if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}

/** The row of figures for the whole. */
export class Figures {
  constructor() {
    this.rates = new Rates();
    /** @type {Map<string, { element: HTMLElement, value: HTMLElement, detail: HTMLElement }>} */
    this.views = new Map();
  }

  /** @param {Overview} overview */
  show(overview) {
    const { nowMs, clients, maxClients, keys, usedBytes, limitBytes } = overview;
    const { opsPerSecond, p50Ms, p99Ms } = overview;
    const rates = this.rates.next(nowMs, overview);
    this.put("Requests a second", format.rate(opsPerSecond));
    this.put("Latency p99", format.latency(p99Ms), `p50 ${format.latency(p50Ms)}`);
    const reads = rates.hits + rates.misses;
    const since = ratio(overview.hits, overview.misses);
    this.put(
      "Hit ratio",
      format.percent(reads > 0 ? rates.hits / reads : since),
      reads > 0 ? "last 10 s" : since === undefined ? "no reads" : "since the start",
    );
    const used = usedBytes !== undefined && limitBytes !== undefined ? usedBytes / limitBytes : undefined;
    const ofLimit = limitBytes === undefined ? "" : `${format.percent(used)} of ${format.bytes(limitBytes)}`;
    this.put("Memory for data", format.bytes(usedBytes), ofLimit);
    this.put("Keys", format.count(keys));
    this.put("Evicted a second", format.rate(rates.evictedKeys), `${format.rate(rates.expiredKeys)} expired`);
    this.put("Sent a second", format.bytes(rates.outputBytes), `${format.bytes(rates.inputBytes)} received`);
    this.put("Clients", format.count(clients), `of at most ${format.count(maxClients)}`);
  }

  /**
   * @param {string} name
   * @param {string} value
   * @param {string} detail
   */
  put(name, value, detail = "") {
    let view = this.views.get(name);
    if (view === undefined) {
      const parts = { value: make("span"), detail: make("span", { class: "detail" }) };
      const element = make("div", {}, make("dt", {}, name), make("dd", {}, parts.value, parts.detail));
      view = { element, ...parts };
      this.views.set(name, view);
      byId("figures").append(element);
    }
    setText(view.value, value);
    setText(view.detail, detail);
  }
}

/**
 * @param {number | undefined} hits
 * @param {number | undefined} misses
 */
function ratio(hits, misses) {
  if (hits === undefined || misses === undefined || hits + misses === 0) return undefined;
  return hits / (hits + misses);
}

/**
 * A server with the rates of its counters.
 *
 * @typedef {{ server: ServerOverview, rates: ReturnType<Rates["next"]> }} ServerRow
 */

/** The colours of states. */
const TONES =
  /** @type {Record<string, string>} */ ({ up: "good", suspect: "warning", draining: "warning", down: "critical" });

/** The table of servers. */
export class Servers {
  /** @param {Overview["role"]} role */
  constructor(role) {
    /** @type {Map<string, Rates>} */
    this.rates = new Map();
    /** @type {readonly ServerRow[]} */
    this.rows = [];
    this.mostSlots = 1;
    this.role = role;
    const isProxy = role === "proxy";
    if (!isProxy) setText(byId("servers-title"), "This server");
    if (!isProxy) setText(byId("servers-link"), "Server");
    /** @type {import("./table.js").Column<ServerRow>[]} */
    const columns = [
      {
        title: "Server",
        cell: ({ server }) => server.address,
        order: ({ server }) => server.address,
        isCode: true,
        isWhole: true,
      },
      { title: "State", cell: ({ server }) => stateCell(server), order: ({ server }) => server.state },
      ...(isProxy
        ? [{
          title: "Slots",
          isNumber: true,
          cell: (/** @type {ServerRow} */ { server }) => slotsCell(server, this.mostSlots),
          order: (/** @type {ServerRow} */ { server }) => server.slots,
        }]
        : []),
      number("Keys", ({ server }) => server.keys, format.count),
      {
        title: "Memory",
        isNumber: true,
        cell: ({ server }) => memoryCell(server),
        order: ({ server }) => server.usedBytes ?? -1,
      },
      number("Requests/s", ({ server }) => server.opsPerSecond, format.rate),
      number("p50", ({ server }) => server.p50Ms, format.latency),
      number("p99", ({ server }) => server.p99Ms, format.latency),
      number("Hit ratio", ({ server, rates }) => recentRatio(server, rates), format.percent),
      number("Evicted/s", ({ rates }) => rates.evictedKeys, format.rate),
      number("Clients", ({ server }) => server.clients, format.count),
    ];
    this.table = new Table(
      byId("servers-table"),
      "Servers",
      columns,
      ({ server }) => server.address,
      "There are no servers.",
    );
    field("servers-filter").addEventListener("input", () => this.showRows());
  }

  /** @param {Overview} overview */
  show(overview) {
    const { nowMs, servers } = overview;
    const rates = new Map(servers.map((server) => [server.address, this.rates.get(server.address) ?? new Rates()]));
    this.rates = rates;
    this.mostSlots = Math.max(1, ...servers.map(({ slots }) => slots));
    this.rows = servers.map((server) => ({
      server,
      // Values of a server that has not replied since are those of then.
      rates: (rates.get(server.address) ?? new Rates()).next(nowMs - (server.ageMs ?? 0), server),
    }));
    // Those with a problem come first.
    this.rows = [
      ...this.rows.filter(({ server }) => server.state !== "up"),
      ...this.rows.filter(({ server }) => server.state === "up"),
    ];
    byId("servers-filter-label").hidden = servers.length < FILTERED_SERVERS_COUNT;
    setText(byId("servers-summary"), this.role === "proxy" ? summaryOf(overview) : "");
    this.showRows();
  }

  showRows() {
    const wanted = field("servers-filter").value.toLowerCase();
    this.table.show(
      this.rows.filter(({ server }) => `${server.address} ${server.state}`.toLowerCase().includes(wanted)),
    );
  }
}

/**
 * Returns a column of numbers that may be unknown.
 *
 * @param {string} title
 * @param {(row: ServerRow) => number | undefined} read
 * @param {(value: number | undefined) => string} write
 * @returns {import("./table.js").Column<ServerRow>}
 */
function number(title, read, write) {
  return { title, isNumber: true, cell: (row) => write(read(row)), order: (row) => read(row) ?? -1 };
}

/**
 * @param {ServerOverview} server
 * @returns {Cell}
 */
function stateCell({ state, reason = "", writesRefused, ageMs = 0 }) {
  if (state === "up" && writesRefused !== undefined) {
    return { text: "refuses writes", tone: "critical", detail: writesRefused };
  }
  const age = ageMs > OLD_AFTER_MS ? `values from ${format.duration(ageMs / 1000)} ago` : "";
  return { text: state, tone: TONES[state] ?? "warning", detail: [reason, age].filter(Boolean).join("; ") };
}

/**
 * @param {ServerOverview} server
 * @param {number} mostSlots the slots of the server with the most, whose bar is full
 * @returns {Cell}
 */
function slotsCell({ slots, slotsLent }, mostSlots) {
  const share = slots / SLOTS_COUNT;
  const lent = slotsLent > 0 ? { detail: `${format.count(slotsLent)} lent` } : {};
  return { text: format.percent(share), bar: slots / mostSlots, title: `${slots} of ${SLOTS_COUNT} slots`, ...lent };
}

/**
 * @param {ServerOverview} server
 * @returns {Cell}
 */
function memoryCell({ usedBytes, limitBytes, evicts }) {
  if (usedBytes === undefined) return { text: format.UNKNOWN };
  if (limitBytes === undefined) return { text: format.bytes(usedBytes) };
  const part = usedBytes / limitBytes;
  // A cache that evicts is meant to be full.
  const tone = part >= MEMORY_TIGHT && evicts !== true ? "warning" : "";
  return { text: format.bytes(usedBytes), detail: `of ${format.bytes(limitBytes)}`, bar: part, tone };
}

/**
 * @param {ServerOverview} server
 * @param {ServerRow["rates"]} rates
 */
function recentRatio(server, rates) {
  return ratio(rates.hits, rates.misses) ?? ratio(server.hits, server.misses);
}

/** @param {Overview} overview */
function summaryOf({ servers, slotsUnderWay }) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { state } of servers) counts.set(state, (counts.get(state) ?? 0) + 1);
  const states = [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
  return slotsUnderWay > 0 ? `${states}; ${format.whole(slotsUnderWay)} slots under way` : states;
}

/**
 * Shows who this is.
 *
 * @param {Overview} overview
 */
export function showIdentity({ role, address, version, uptimeMs }) {
  setText(byId("role"), role);
  const up = uptimeMs < 60_000 ? "less than a minute" : format.duration(uptimeMs / 1000);
  setText(byId("identity"), `${address} · version ${version} · up ${up}`);
}
