/**
 * A port of `--metrics` in the test's process, with a role that the test plays.
 *
 * @module
 */

import type { Family } from "../../src/metrics/families.ts";
import type { Overview } from "../../src/metrics/overview.ts";
import type { Socket } from "../../src/net/socket.ts";
import { MetricsPort } from "../../src/page/metrics_port.ts";
import type { MetricsPortSettings } from "../../src/page/metrics_port.ts";
import type { GuessingPeer, ObservedRole, ServedRole } from "../../src/page/observed_role.ts";
import { FailedLogins } from "../../src/role/failed_logins.ts";
import type { Logger } from "../../src/role/logger.ts";
import { Password } from "../../src/role/password.ts";

/** A role without clients. */
export class PlayedRole implements ObservedRole, ServedRole {
  /** What the role says to `/readyz`. */
  reason: string | undefined;
  shown: Family[] = [];
  /** Stopping waits for it. */
  stopped: Promise<void> = Promise.resolve();
  /** The certificates that the role was given. */
  readonly certificates: unknown[] = [];
  readonly failedLogins: FailedLogins;
  #password: Password | undefined;

  constructor(passwords: readonly string[], logger: Logger) {
    this.#password = passwords.length > 0 ? new Password(passwords) : undefined;
    this.failedLogins = new FailedLogins(logger);
  }

  overview(): Overview {
    throw new Error("This role has no overview");
  }

  families(): Iterable<Family> {
    return this.shown;
  }

  async refresh(): Promise<void> {}

  openInternal(): Socket {
    throw new Error("This role runs no commands");
  }

  notReady(): string | undefined {
    return this.reason;
  }

  authenticate(_peer: GuessingPeer, user: string, password: string): boolean {
    return this.#password?.matches(user, password) ?? true;
  }

  failedLogin(peer: GuessingPeer): number {
    return this.failedLogins.note(peer);
  }

  stop(): Promise<void> {
    return this.stopped;
  }

  replaceCertificate(certificate: { readonly cert: string; readonly key: string }): void {
    this.certificates.push(certificate);
  }

  replacePasswords(passwords: readonly string[]): void {
    this.#password = new Password(passwords);
  }
}

/** What a test works with. */
export interface MetricsRig {
  readonly port: MetricsPort;
  readonly role: PlayedRole;
  /** The role together with the port. */
  readonly served: ServedRole;
  /** The lines of the log that are warnings or errors. */
  readonly warnings: string[];
}

/** Runs a test with a port that observes a role, and stops both. */
export async function withMetricsPort(
  run: (rig: MetricsRig) => Promise<void>,
  { passwords = [], ...settings }: Partial<Omit<MetricsPortSettings, "listening" | "logger">> & {
    readonly passwords?: readonly string[];
    readonly certificate?: MetricsPortSettings["listening"]["certificate"];
  } = {},
): Promise<void> {
  const warnings: string[] = [];
  const warn = (message: string, fields?: Record<string, unknown>) => {
    warnings.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  const logger = { info: () => {}, warn, error: warn } as Logger;
  const { certificate, ...rest } = settings;
  const port = new MetricsPort({
    address: { hostname: "127.0.0.1", port: 0 },
    listening: { certificate, password: passwords },
    logger,
    ...rest,
  });
  const role = new PlayedRole(passwords, logger);
  const served = port.observe(role);
  try {
    await run({ port, role, served, warnings });
  } finally {
    await served.stop();
  }
}
