/**
 * inmem's client library: an in-memory database of strings, lists and hashes, over TLS.
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
 * - {@linkcode connect} makes a {@linkcode Client}: one connection, to a server or a proxy, with a method for each
 *   command but those for a connection that nobody shares, such as `multi`. `client.text` has the same methods, with
 *   text for bytes.
 * - Keys, fields and values are bytes. Text stands for its UTF-8, a number for its decimal digits.
 * - An absent key is `null`, 0 or an empty array, never an error.
 * - `Client.send` sends any command and answers the reply as it came.
 *
 * ## Caveats
 *
 * - When a connection is lost, what was in flight rejects with {@linkcode ConnectionError}. Its `sent` is `false` when the
 *   request certainly had no effect. Nothing is repeated; the next request connects again.
 * - A request that is not answered within `timeoutMs` ends the connection, and with it everything behind it.
 * - Replies that hold integers beyond 2^53 reject with `RangeError` in typed methods, after the command has had its
 *   effect; `Client.send` answers them as `bigint`.
 * - What waits for an element of a list (`blpop` and its like) holds up all that is sent behind it, and `timeoutMs`
 *   ends it too: use a client of its own, with a longer `timeoutMs` or 0.
 * - A client that is not closed keeps the process alive.
 *
 * Permissions: `--allow-net`, and for the default trust at loopback addresses `--allow-env=HOME,XDG_STATE_HOME` and
 * `--allow-read`.
 *
 * @module
 */

export {
  Client,
  Commands,
  connect,
  HashCommands,
  KeyCommands,
  ListCommands,
  Sender,
  StringCommands,
} from "./client/client.ts";
export type {
  Argument,
  ClientKillOptions,
  ClientListOptions,
  ConnectOptions,
  DeadlineOptions,
  ExpireOptions,
  FieldScanOptions,
  GetexOptions,
  InsertPlace,
  Key,
  KeyType,
  MoveEnds,
  Pairs,
  PositionOptions,
  ScanOptions,
  SetOptions,
  Value,
} from "./client/client.ts";
export { ConnectionError, InmemError, ProtocolError, ReplyError, UsageError } from "./errors.ts";
