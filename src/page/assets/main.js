/**
 * The page of --metrics. The server sends the whole state once a second (`/events`); histories, lists and keys are asked
 * for when somebody looks at them.
 */

import { byId, setText } from "./dom.js";
import { duration } from "./format.js";
import { KeyBrowser } from "./browser.js";
import { followClients, followKeys, followSlowLog } from "./lists.js";
import { Figures, Problems, Servers, showIdentity } from "./overview.js";
import { Plots } from "./plots.js";

/** @import { Overview } from "../../metrics/overview.ts" */

/** The time without an event after which the values count as old, in ms. */
const STALE_AFTER_MS = 3500;
/** The time after which a refused connection is tried again, in ms. */
const RETRY_MS = 3000;

const problems = new Problems();
const figures = new Figures();
const plots = new Plots();
const keys = new KeyBrowser();
/** @type {Servers | undefined} */
let servers;
let runId = "";
let lastMs = performance.now();

/**
 * Shows one event.
 *
 * @param {{ overview: Overview, sample?: Parameters<Plots["add"]>[0] }} event
 */
function show({ overview, sample }) {
  lastMs = performance.now();
  showIdentity(overview);
  problems.show(overview);
  figures.show(overview);
  servers ??= new Servers(overview.role);
  servers.show(overview);
  if (overview.runId !== runId) {
    runId = overview.runId;
    plots.load();
  } else if (sample !== undefined) plots.add(sample);
  showLive();
}

/** Says whether the values are those of now. Old values that look new are worse than none. */
function showLive() {
  const silentMs = performance.now() - lastMs;
  const isLost = silentMs > STALE_AFTER_MS;
  const live = byId("live");
  live.dataset.state = isLost ? "lost" : "live";
  setText(live, isLost ? "No connection" : "Live");
  const stale = byId("stale");
  stale.hidden = !isLost;
  const age = duration(silentMs / 1000);
  if (isLost) {
    setText(
      stale,
      `Nothing has come from this ${byId("role").textContent || "process"} for ${age}. The values below are older.`,
    );
  }
}

/** @type {EventSource | undefined} */
let events;

/**
 * Follows the events while the page is visible: one in the background needs none, and the server need not make them. A
 * browser connects again by itself, except after a refusal.
 */
function follow() {
  events?.close();
  events = undefined;
  if (document.hidden) return;
  const source = new EventSource("/events");
  events = source;
  source.addEventListener("message", ({ data }) => show(JSON.parse(data)));
  source.addEventListener("error", () => {
    if (source === events && source.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS);
  });
}

document.addEventListener("visibilitychange", () => {
  // Values are not old because nobody looked.
  lastMs = performance.now();
  follow();
});
follow();
setInterval(() => {
  if (!document.hidden && performance.now() - lastMs > STALE_AFTER_MS) showLive();
}, 1000);
followKeys((name) => keys.visit(name));
followSlowLog();
followClients();
keys.find();
