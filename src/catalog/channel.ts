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
    summary: "Listens to channels. Needs RESP.",
    since: "2.0.0",
    complexity: "O(N), N: channels",
    listens: true,
    subscription: "begins",
  },
  unsubscribe: {
    syntax: "[channel …]",
    summary: "Listens to these channels no more, or to none.",
    since: "2.0.0",
    complexity: "O(N), N: channels",
    listens: true,
    subscription: "ends",
  },
  psubscribe: {
    syntax: "pattern [pattern …]",
    summary: "Listens to the channels that match. Needs RESP.",
    since: "2.0.0",
    complexity: "O(N), N: patterns",
    listens: true,
    subscription: "begins",
  },
  punsubscribe: {
    syntax: "[pattern …]",
    summary: "Listens to what matches these no more, or to no pattern.",
    since: "2.0.0",
    complexity: "O(N), N: patterns",
    listens: true,
    subscription: "ends",
  },
  publish: {
    syntax: "channel message",
    summary: "Sends to all who listen; answers how many they are.",
    since: "2.0.0",
    complexity: "O(N+M), N: clients that listen to the channel, M: patterns",
    fast: true,
    routing: "publish",
  },
  pubsub: {
    syntax: "channels [pattern] | numsub [channel …] | numpat",
    summary: "What is listened to.",
    since: "2.8.0",
    complexity: "O(N), N: channels",
  },
};
