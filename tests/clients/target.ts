/**
 * The targets of the tests of Redis clients: the real programs over TLS, a server directly and a proxy in front of
 * three.
 *
 * @module
 */

import { parseAddress } from "../../src/address.ts";
import { isLong } from "../support/amount.ts";
import { type Launcher, type Role, systemTest } from "../support/launcher.ts";

/** The time limit of a check, in ms. The longest takes a second on an idle machine. */
const CHECK_TIMEOUT_MS = 30_000;

/** The address and the certificates for a client. */
export interface Target {
  /** Whether it is a server, and not a proxy. */
  readonly isDirect: boolean;
  readonly hostname: string;
  readonly port: number;
  /** The authority that verifies the certificate, in PEM. */
  readonly authority: string;
  /** The path of the authority's certificate. */
  readonly authorityPath: string;
  /** Returns a path in the test's own folder. */
  path(name: string): string;
  /** Kills the role that listens, and returns a function that starts it again on the same address. */
  kill(): Promise<() => Promise<void>>;
}

/** One ability of a client. */
export interface Check {
  readonly name: string;
  readonly run: (target: Target) => Promise<void>;
}

/** The target of a test in the short form of the tests: a server, a proxy, or none. */
export type Place = "server" | "proxy" | "nowhere";

/**
 * Registers a test of a client against a server and one against a proxy; each check is a step.
 *
 * @param place the target in the short form of the tests; the long form uses both
 * @param lacks what this machine lacks for the test
 */
export function clientTest(client: string, checks: readonly Check[], place: Place, lacks?: string): void {
  const ignore = lacks !== undefined;
  const note = ignore ? ` (ignored: ${lacks})` : "";
  if (isLong || place === "server") testAtServer(`${client} works against a server${note}`, checks, ignore);
  if (isLong || place === "proxy") testThroughProxy(`${client} works through a proxy${note}`, checks, ignore);
}

function testAtServer(name: string, checks: readonly Check[], ignore: boolean): void {
  systemTest(name, { ignore, ...UNSANITIZED }, async (launcher, test) => {
    let role = await launcher.server();
    const target = await targetOf(launcher, () => role, (next) => role = next, (words) => launcher.server(words));
    for (const check of checks) await test.step(check.name, () => withinTime(check, target));
  });
}

function testThroughProxy(name: string, checks: readonly Check[], ignore: boolean): void {
  systemTest(name, { ignore, ...UNSANITIZED }, async (launcher, test) => {
    const { proxy, file } = await launcher.cluster();
    let role = proxy;
    const target = await targetOf(launcher, () => role, (next) => role = next, (words) => launcher.proxy(file, words));
    for (const check of checks) await test.step(check.name, () => withinTime(check, target));
  });
}

/** The parser of ioredis 5 leaves an interval running after large replies, and node-redis leaves timers. */
const UNSANITIZED = { sanitizeOps: false, sanitizeResources: false };

/** Runs a check, which fails when the time limit has passed. */
async function withinTime({ name, run }: Check, target: Target): Promise<void> {
  let timer: number | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${CHECK_TIMEOUT_MS} ms: ${name}`)), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([run(target), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function targetOf(
  launcher: Launcher,
  get: () => Role,
  set: (role: Role) => void,
  start: (words: readonly string[]) => Promise<Role>,
): Promise<Target> {
  const { address, process: { name } } = get();
  const authorityPath = launcher.certificates.authority;
  return {
    ...parseAddress(address),
    isDirect: name === "server",
    authority: await Deno.readTextFile(authorityPath),
    authorityPath,
    path: (name) => launcher.path(name),
    kill: async () => {
      const { process } = get();
      launcher.forgive(process);
      await process.kill();
      return async () => set(await start(["--addr", address]));
    },
  };
}
