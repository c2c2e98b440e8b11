/**
 * Commands on channels.
 *
 * @module
 */

import type { Rows } from "./row.ts";

/** Commands on channels, by name. */
export const CHANNEL_ROWS: Rows = {
  subscribe: {
    syntax: "channel [channel …]",
    summary: "Subscribes to channels. Needs RESP, which `inmem client` speaks for it.",
    since: "2.0.0",
    complexity: "O(N), N: channels",
    listens: true,
    subscription: "begins",
  },
  unsubscribe: {
    syntax: "[channel …]",
    summary: "Ends the subscriptions to these channels, or to all.",
    since: "2.0.0",
    complexity: "O(N), N: channels",
    listens: true,
    subscription: "ends",
  },
  psubscribe: {
    syntax: "pattern [pattern …]",
    summary: "Subscribes to all channels that match the patterns. Needs RESP, as `subscribe` does.",
    since: "2.0.0",
    complexity: "O(N), N: patterns",
    listens: true,
    subscription: "begins",
  },
  punsubscribe: {
    syntax: "[pattern …]",
    summary: "Ends the subscriptions to these patterns, or to all.",
    since: "2.0.0",
    complexity: "O(N), N: patterns",
    listens: true,
    subscription: "ends",
  },
  publish: {
    syntax: "channel message",
    summary: "Sends a message to all subscribers of a channel. Returns how many received it.",
    since: "2.0.0",
    complexity: "O(N+M), N: clients that listen to the channel, M: patterns",
    fast: true,
    routing: "publish",
  },
  pubsub: {
    syntax: "channels [pattern] | numsub [channel …] | numpat",
    summary: "Returns the channels, or the numbers of their subscribers.",
    since: "2.8.0",
    complexity: "O(N), N: channels",
  },
};
