/**
 * The live page of a role: its files, its events, and its data.
 *
 * ```text
 * /             the files (assets.ts)
 * /events       the state once a second, made while somebody views: one text for all viewers
 * /api/history  the last hour, of which a step is taken every 5 s
 * /api/…        lists, keys and values: commands on the role (page_commands.ts)
 * ```
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import { ConnectionError, ReplyError } from "../errors.ts";
import { EventStream } from "../http/event_stream.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { HISTORY_STEP_MS, PAGE_EVENT_INTERVAL_MS } from "../limits.ts";
import { History } from "../metrics/history.ts";
import type { Observed } from "../metrics/overview.ts";
import { ASSETS } from "./assets.ts";
import type { PageEvent } from "./data.ts";
import { bytesOf, type Change, deleteKey, expireKey, parseBase64, setString } from "./key_editor.ts";
import { findKeys, readKey } from "./key_reader.ts";
import { bigKeys, clients, hotKeys, slowLog } from "./lists.ts";
import { type CommandRole, PageCommands } from "./page_commands.ts";
import type { Route } from "./routes.ts";

/** The role that a page shows. */
export interface PageRole extends CommandRole, Pick<Observed, "overview" | "refresh"> {}

/** The page of one role. It takes steps of the history from the constructor's call until {@linkcode close}. */
export class LivePage {
  readonly routes: readonly Route[];
  readonly #role: PageRole;
  readonly #commands: PageCommands;
  readonly #history = new History();
  readonly #events: EventStream;
  readonly #historyTimer: number;
  #eventTimer: number | undefined;
  /** Whether an event is being made. */
  #isSending = false;

  /** @param canEdit whether the key browser may change keys */
  constructor(role: PageRole, canEdit: boolean) {
    this.#role = role;
    this.#commands = new PageCommands(role, canEdit);
    this.#events = new EventStream({ first: () => this.#event(), onCount: (count) => this.#view(count) });
    this.#historyTimer = setInterval(() => this.#takeStep(), HISTORY_STEP_MS);
    this.#takeStep();
    this.routes = this.#makeRoutes();
  }

  /** Ends the timers and the connection. */
  async close(): Promise<void> {
    clearInterval(this.#historyTimer);
    clearInterval(this.#eventTimer);
    await this.#commands.close();
  }

  async #takeStep(): Promise<void> {
    await this.#role.refresh();
    this.#history.add(this.#role.overview());
  }

  #event(): string {
    const { newest } = this.#history;
    const event: PageEvent = { overview: this.#role.overview(), ...newest && { sample: newest } };
    return JSON.stringify(event);
  }

  /** Makes events only while somebody views. */
  #view(count: number): void {
    if (count === 0) {
      clearInterval(this.#eventTimer);
      this.#eventTimer = undefined;
    } else {
      this.#eventTimer ??= setInterval(() => this.#send(), PAGE_EVENT_INTERVAL_MS);
    }
  }

  async #send(): Promise<void> {
    // The servers of a proxy may take longer than a second to reply.
    if (this.#isSending) return;
    this.#isSending = true;
    await this.#role.refresh();
    this.#isSending = false;
    this.#events.send(this.#event());
  }

  #makeRoutes(): Route[] {
    const commands = this.#commands;
    const files = ASSETS.map(({ path, type, text }): Route => {
      return { method: "GET", path, serve: () => ({ status: 200, type, body: text }) };
    });
    return [
      ...files,
      { method: "GET", path: "/events", serve: () => ({ events: this.#events }) },
      data("/api/history", () => this.#history.data()),
      data("/api/hotkeys", () => hotKeys(commands)),
      data("/api/bigkeys", () => bigKeys(commands)),
      data("/api/slowlog", () => slowLog(commands)),
      data("/api/clients", () => clients(commands)),
      data("/api/keys", (query) => {
        const match = parseBase64(query.get("match") ?? "", "match");
        return findKeys(commands, { cursor: query.get("cursor") ?? "0", match, type: query.get("type") ?? "" });
      }),
      data("/api/key", (query) => {
        return readKey(commands, parseBase64(query.get("name") ?? "", "name"), query.get("cursor") ?? "0");
      }),
      // The name of a key may be longer than a URL.
      post("/api/key", (body) => {
        return readKey(commands, bytesOf(body, "name"), typeof body.cursor === "string" ? body.cursor : "0");
      }),
      post("/api/delete", (body) => deleteKey(commands, body)),
      post("/api/expire", (body) => expireKey(commands, body)),
      post("/api/set", (body) => setString(commands, body)),
    ];
  }
}

/** Returns a route that reads data. */
function data(path: string, read: (query: URLSearchParams) => unknown): Route {
  return { method: "GET", path, serve: (_role, { query }) => json(async () => await read(new URLSearchParams(query))) };
}

/** Returns a route whose request has a body, such as one that changes something. */
function post(path: string, make: (body: Change) => Promise<unknown>): Route {
  return { method: "POST", path, serve: (_role, request) => json(async () => await make(objectOf(request)) ?? {}) };
}

function objectOf({ body }: HttpRequest): Change {
  try {
    const value: unknown = JSON.parse(decodeText(body, 0, body.length));
    if (typeof value === "object" && value !== null) return value as Change;
  } catch {
    // It is refused like any other value.
  }
  throw new ReplyError("ERR", "expected an object of JSON");
}

/** Returns data as JSON, or the reason why there is none. */
async function json(make: () => Promise<unknown>): Promise<HttpResponse> {
  try {
    return jsonResponse(200, await make());
  } catch (error) {
    if (error instanceof ReplyError) return jsonResponse(statusOf(error), { error: error.message });
    if (error instanceof ConnectionError) return jsonResponse(503, { error: error.message });
    throw error;
  }
}

function statusOf({ code }: ReplyError): number {
  if (code === "NOPERM") return 403;
  return code === "ERR" ? 400 : 409;
}

function jsonResponse(status: number, value: unknown): HttpResponse {
  return { status, type: "application/json", body: JSON.stringify(value) };
}
