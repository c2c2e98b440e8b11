/**
 * Runs the commands of the page on its role, by a connection within the process.
 *
 * The role serves that connection by a session, like that of any client. So the page of a proxy shows the keys of all
 * servers without any code for it, and a command of the page waits its turn like those of other clients.
 *
 * A command that may change data runs only where that is allowed (`--metrics-edit`). The catalog says which those are.
 *
 * @module
 */

import { mayWrite } from "../catalog/specification.ts";
import { type Argument, Client, type Value } from "../client/client.ts";
import { commandOf } from "../client/reply_delay.ts";
import { ReplyError } from "../errors.ts";
import { PAGE_COMMAND_TIMEOUT_MS } from "../limits.ts";
import type { Socket } from "../net/socket.ts";

/** The connection has a name in `client list`, and a key that somebody looks at does not count as used. */
const FIRST_REQUESTS = [["setname", "page"], ["no-touch", "on"]] as const;

/** The part of a role that runs commands. */
export interface CommandRole {
  /** Opens a connection within this process. */
  openInternal(): Socket;
}

/** The commands of the page of one role. The connection is opened when the first of them runs. */
export class PageCommands {
  /** Whether commands may change data. */
  readonly canEdit: boolean;
  readonly #client: Client;
  readonly #aborter = new AbortController();

  constructor(role: CommandRole, canEdit: boolean) {
    this.canEdit = canEdit;
    this.#client = new Client({
      address: "the page's role",
      open: () => {
        // The first requests on the new connection. Nothing waits for their replies.
        queueMicrotask(() => {
          for (const words of FIRST_REQUESTS) this.#client.send(["client", ...words]).catch(() => {});
        });
        return Promise.resolve(role.openInternal());
      },
      passwords: [],
      timeoutMs: PAGE_COMMAND_TIMEOUT_MS,
      signal: this.#aborter.signal,
    });
  }

  /**
   * Runs a command.
   *
   * @throws {ReplyError} when the role refuses it, or when it may change data and that is not allowed
   * @throws {ConnectionError} when the role stops, or does not reply in time
   */
  async run(...request: readonly Argument[]): Promise<Value> {
    const command = commandOf(request);
    if (command === undefined) throw new ReplyError("ERR", `there is no command "${request[0]}"`);
    if (!this.canEdit && mayWrite(command, request.length)) throw new ReplyError("NOPERM", READ_ONLY);
    return await this.#client.send(request);
  }

  /** Returns the facts about all clients, by name. */
  async clients(): Promise<Map<string, string>[]> {
    return await this.#client.client("list");
  }

  /** Closes the connection. Commands under way fail. */
  async close(): Promise<void> {
    this.#aborter.abort(new Error("the page is closed"));
    await this.#client.close();
  }
}

/** The reason why nothing may be changed. */
export const READ_ONLY = "the page is read-only; --metrics-edit lets it change keys";
