/**
 * The options that name a server and how to connect to it. Every tool that connects to one spreads them into its table:
 * `options: { ...targetOptions, … }`. `target/connect.ts` connects as they say.
 *
 * @module
 */

import { TIMEOUT_MAX_MS } from "../limits.ts";
import type { Option } from "./options.ts";

/** The rows of these options. */
export const targetOptions = {
  addr: {
    kind: "server",
    aliases: ["url", "u"],
    default: "127.0.0.1:9443",
    help:
      "the server or proxy: host, host:port or a URL such as rediss://host:port, where inmem:// and redis:// mean " +
      "no TLS",
  },
  host: {
    kind: "text",
    aliases: ["h"],
    onlyTyped: true,
    valueName: "HOST",
    help: "the host alone, as redis-cli has it; -h without a value means --help",
  },
  port: { kind: "count", aliases: ["p"], onlyTyped: true, min: 1, max: 65_535, help: "the port alone" },
  context: {
    kind: "text",
    valueName: "NAME",
    help: "the server that is stored under this name; `inmem client context` lists and adds them",
    absent: "the one with the name default, if there is one and no address is given",
  },
  ca: {
    kind: "text",
    valueName: "FILE",
    help: "the certificates of authorities that verify the server, in PEM",
    absent: "for loopback addresses the local authority, and the public ones",
  },
  insecure: { kind: "flag", help: "accept any certificate; anyone in between can read and change everything" },
  "password-file": {
    kind: "text",
    valueName: "FILE",
    environment: "INMEM_PASSWORD",
    help: "the password to send, and in a second line one in case it is refused",
  },
  askpass: { kind: "flag", help: "ask for the password on the terminal, without showing it" },
  plaintext: { kind: "flag", help: "no TLS; to loopback addresses only" },
  timeout: {
    kind: "duration",
    default: "10s",
    min: 0,
    max: TIMEOUT_MAX_MS,
    help: "how long to wait for the connection and for each reply, 0 for no limit; the time that a command such as " +
      "blpop waits is added to it",
  },
} as const satisfies Readonly<Record<string, Option>>;
