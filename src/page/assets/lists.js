/** The tables that are asked for while they are on the screen: hot keys, big keys, the slow log, and clients. */

import { ask } from "./api.js";
import { byId, field, setText, whileSeen } from "./dom.js";
import * as format from "./format.js";
import { Table } from "./table.js";

/** @import { Column } from "./table.js" */
/** @import { ClientRow, KeyRow, SlowRow } from "../data.ts" */

/** The time between two questions, in ms. */
const INTERVAL_MS = 5000;
/** The most characters of a key or an argument that a table shows. */
const SHOWN_MAX_LENGTH = 80;

/**
 * Makes a table that is asked for while it is on the screen.
 *
 * @template Row, Data
 * @param {string} id of the element around the table
 * @param {string} path of the data
 * @param {Table<Row>} table
 * @param {(data: Data) => readonly Row[]} rowsOf
 * @returns {void}
 */
function follow(id, path, table, rowsOf) {
  whileSeen(byId(id), INTERVAL_MS, async () => {
    try {
      table.show(rowsOf(await ask(path)));
    } catch (error) {
      table.fail(/** @type {Error} */ (error).message);
    }
  });
}

/**
 * Returns a key as text of bounded length.
 *
 * @param {string} name in base64
 */
export function shortKey(name) {
  const text = format.readable(format.fromBase64(name));
  if (text === "") return '""';
  return text.length <= SHOWN_MAX_LENGTH ? text : `${text.slice(0, SHOWN_MAX_LENGTH)}…`;
}

/**
 * Returns the column of keys. A key opens in the key browser.
 *
 * @param {(name: string) => void} open
 * @returns {Column<KeyRow>}
 */
function keyColumn(open) {
  return {
    title: "Key",
    isCode: true,
    cell: ({ name }) => ({ text: shortKey(name), title: "Show it in the key browser", open: () => open(name) }),
  };
}

/**
 * Shows hot and big keys.
 *
 * @param {(name: string) => void} open shows a key in the key browser
 */
export function followKeys(open) {
  let hottest = 1;
  /** @type {Table<KeyRow>} */
  const hot = new Table(
    byId("hot-table"),
    "Hot keys",
    [
      keyColumn(open),
      {
        title: "Requests/s",
        isNumber: true,
        cell: ({ perSecond = 0 }) => ({ text: format.rate(perSecond), bar: perSecond / hottest }),
        order: ({ perSecond = 0 }) => perSecond,
      },
    ],
    ({ name }) => name,
    "No key stands out.",
  );
  follow("hot-table", "/api/hotkeys", hot, ({ keys }) => {
    hottest = Math.max(1, ...keys.map((/** @type {KeyRow} */ { perSecond = 0 }) => perSecond));
    return keys;
  });
  /** @type {Table<KeyRow>} */
  const big = new Table(
    byId("big-table"),
    "Big keys",
    [
      keyColumn(open),
      { title: "Type", cell: ({ type = "" }) => type, order: ({ type = "" }) => type },
      {
        title: "Size",
        isNumber: true,
        cell: ({ sizeBytes }) => format.bytes(sizeBytes),
        order: ({ sizeBytes = 0 }) => sizeBytes,
      },
      {
        title: "Elements",
        isNumber: true,
        cell: ({ type, elements }) => type === "string" ? "" : format.count(elements),
        order: ({ elements = 0 }) => elements,
      },
    ],
    ({ name }) => name,
    "No large values were seen.",
  );
  follow("big-table", "/api/bigkeys", big, ({ keys }) => keys);
}

/** Shows the slow log. */
export function followSlowLog() {
  /** @type {Table<SlowRow>} */
  const table = new Table(
    byId("slow-table"),
    "Slow log",
    [
      {
        title: "When",
        isWhole: true,
        cell: ({ timeMs }) => ({ text: format.clock(timeMs), title: new Date(timeMs).toString() }),
      },
      {
        title: "Took",
        isNumber: true,
        cell: ({ durationUs }) => format.latency(durationUs / 1000),
        order: ({ durationUs }) => durationUs,
      },
      {
        title: "Command",
        isCode: true,
        cell: ({ words }) => {
          const whole = words.map((word) => quoted(format.readable(format.fromBase64(word)))).join(" ");
          const isLong = whole.length > 2 * SHOWN_MAX_LENGTH;
          return isLong ? { text: `${whole.slice(0, 2 * SHOWN_MAX_LENGTH)}…`, title: whole } : whole;
        },
      },
      { title: "Client", isCode: true, isWhole: true, cell: ({ client, name }) => ({ text: client, detail: name }) },
    ],
    ({ id }) => id,
    "No command has been slow.",
  );
  follow("slow-table", "/api/slowlog", table, ({ entries }) => entries);
}

/**
 * Puts quotes around an argument with blanks.
 *
 * @param {string} word
 */
function quoted(word) {
  return word === "" || /\s/.test(word) ? `"${word}"` : word;
}

/** Shows clients. */
export function followClients() {
  /** @type {readonly ClientRow[]} */
  let clients = [];
  /** @type {Table<ClientRow>} */
  const table = new Table(
    byId("clients-table"),
    "Clients",
    [
      { title: "Address", isCode: true, cell: ({ address }) => address, order: ({ address }) => address },
      { title: "Name", cell: ({ name }) => name, order: ({ name }) => name },
      { title: "Last command", isCode: true, cell: ({ command }) => command, order: ({ command }) => command },
      {
        title: "Idle",
        isNumber: true,
        cell: ({ idleS }) => format.duration(idleS),
        order: ({ idleS }) => idleS,
      },
      { title: "Age", isNumber: true, cell: ({ ageS }) => format.duration(ageS), order: ({ ageS }) => ageS },
      {
        title: "Memory",
        isNumber: true,
        cell: ({ memoryBytes }) => format.bytes(memoryBytes),
        order: ({ memoryBytes }) => memoryBytes,
      },
      { title: "Protocol", cell: ({ protocol }) => protocol, order: ({ protocol }) => protocol },
      { title: "Library", cell: ({ library }) => library, order: ({ library }) => library },
      { title: "State", cell: ({ state }) => state, order: ({ state }) => state },
    ],
    ({ id }) => id,
    "No client.",
  );
  const filter = field("clients-filter");
  function show() {
    const wanted = filter.value.toLowerCase();
    table.show(clients.filter(({ address, name, command }) => {
      return `${address} ${name} ${command}`.toLowerCase().includes(wanted);
    }));
  }
  filter.addEventListener("input", show);
  whileSeen(byId("clients-table"), INTERVAL_MS, async () => {
    try {
      const data = await ask("/api/clients");
      clients = data.clients;
      const isPart = data.count > clients.length;
      setText(
        byId("clients-summary"),
        isPart
          ? `${format.count(clients.length)} of ${format.count(data.count)}, those with the most memory`
          : format.count(data.count),
      );
      show();
    } catch (error) {
      table.fail(/** @type {Error} */ (error).message);
    }
  });
}
