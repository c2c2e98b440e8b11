/**
 * The client library of inmem, an in-memory database of strings, lists, hashes and sets, over TLS.
 *
 * ```ts
 * import { connect } from "@inmem/inmem";
 *
 * await using client = await connect({ addr: "127.0.0.1:9443" });
 *
 * await client.set("user:1:name", "Ada", { ttlMs: 60_000 });
 * console.log(await client.get("user:1:name")); // Uint8Array(3) [ 65, 100, 97 ]
 * console.log(await client.text.get("user:1:name")); // "Ada"
 *
 * await client.hset("user:1", { name: "Ada", born: 1815 });
 * console.log(await client.text.hgetall("user:1")); // Map(2) { "name" => "Ada", "born" => "1815" }
 *
 * // Requests that are not awaited one by one leave together.
 * const [length, size] = await Promise.all([client.rpush("queue", "a", "b"), client.size()]);
 * console.log(length, size); // 2 3
 * ```
 *
 * ## Basics
 *
 * - {@linkcode connect} makes a {@linkcode Client}: one connection to a server or a proxy, with a method for each
 *   command, except for the commands that need an exclusive connection, such as `multi`. `client.text` has the same
 *   methods, with text instead of bytes.
 * - Keys, fields and values are bytes. Text means its UTF-8 encoding, and a number its decimal digits.
 * - An absent key is `null`, 0 or an empty array, never an error.
 * - `Client.send` sends any command and returns its reply unchanged.
 *
 * ## Caveats
 *
 * - When a connection is lost, requests in flight reject with {@linkcode ConnectionError}. Its `sent` is `false` when
 *   the request certainly had no effect. Requests are not repeated; the next request connects again.
 * - A request without a reply within `timeoutMs` ends the connection, and with it all requests after it.
 * - Replies that hold integers beyond 2^53 reject with `RangeError` in typed methods, after the command has taken
 *   effect; `Client.send` returns them as `bigint`.
 * - A command that waits for an element of a list, such as `blpop`, delays all requests after it. Use a separate client
 *   for it. The time that it waits is added to `timeoutMs`.
 * - A client that is not closed keeps the process alive.
 *
 * Permissions: `--allow-net`, and for the default trust at loopback addresses `--allow-env=HOME,XDG_STATE_HOME` and
 * `--allow-read`.
 *
 * @module
 */

export {
  ChannelCommands,
  Client,
  Commands,
  connect,
  ConnectionCommands,
  DiagnosisCommands,
  HashCommands,
  KeyCommands,
  ListCommands,
  Sender,
  ServerCommands,
  SetCommands,
  StringCommands,
} from "./client/client.ts";
export type {
  Argument,
  BigKeyFacts,
  ClientFilter,
  ClientKillOptions,
  ClientListOptions,
  ConnectOptions,
  DeadlineOptions,
  ExpireOptions,
  FieldScanOptions,
  GetexOptions,
  HotKeyFacts,
  InsertPlace,
  Key,
  KeyType,
  LatencyEvent,
  LatencyHistogram,
  LatencyMoment,
  MoveEnds,
  Pairs,
  PositionOptions,
  ScanOptions,
  SetOptions,
  SlowCommand,
  Value,
} from "./client/client.ts";
export { ConnectionError, InmemError, ProtocolError, ReplyError, UsageError } from "./errors.ts";
