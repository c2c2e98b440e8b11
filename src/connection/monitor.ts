/**
 * The command `monitor`: the client gets a line for each request of all clients (metrics/monitors.ts).
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import type { Monitor } from "../metrics/monitors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { Message } from "./channel_message.ts";
import type { ClientState } from "./client_state.ts";
import type { ConnectionContext } from "./context.ts";

/** A line as a message, which is the same in both versions of RESP. */
class LineMessage implements Message {
  readonly tail = undefined;
  readonly #line: Uint8Array;

  constructor(line: Uint8Array) {
    this.#line = line;
  }

  head(): Uint8Array {
    return this.#line;
  }
}

/** A client that monitors. */
export class MonitoringClient implements Monitor {
  readonly #client: ClientState;

  constructor(client: ClientState) {
    this.#client = client;
  }

  monitored(line: Uint8Array): void {
    // A client that has turned its replies off gets no lines either, as in Redis.
    if (this.#client.silence === "none") this.#client.connection.deliver(new LineMessage(line), false);
  }
}

/**
 * `monitor` sends a line for each request of all clients from now on. `reset` ends that. Until then the client may not
 * use keys.
 *
 * @throws {ReplyError} in a transaction, and on a connection that does not speak RESP
 */
export function monitor(context: ConnectionContext, _request: Request, reply: Reply): void | Promise<void> {
  const { client, shared } = context;
  if (client.executedCount >= 0) throw new ReplyError("ERR", "MONITOR isn't allowed for DENY BLOCKING client");
  if (client.version === 0) throw new ReplyError("ERR", "monitor needs a connection that speaks RESP");
  reply.ok();
  if (client.isMonitoring) return;
  client.monitor = new MonitoringClient(client);
  shared.instruments.monitors.add(client.monitor);
}
