/**
 * The problems that a role knows of: what an operator should look at, and what to do about it.
 *
 * ```text
 * overview ─► problemsOf() ─► page · `memory doctor` · metric inmem_problem{kind,subject} ─► cluster/alerts.yml
 * ```
 *
 * Each kind of problem is one row here. Its name is stable, because alerts and pages refer to it. A problem follows
 * from one overview alone, without a memory of earlier ones, so every reader of an overview finds the same problems.
 * A row looks at the role itself, or at each of its servers; a server's overview has one server, which is itself.
 *
 * @module
 */

import {
  BIG_KEY_PROBLEM_BYTES,
  BIG_KEY_PROBLEM_ELEMENTS_COUNT,
  CLIENTS_PROBLEM_SHARE,
  EVICTION_PROBLEM_HIT_RATIO,
  EVICTION_PROBLEM_LOOKUPS_MIN_COUNT,
  EXPIRY_CRITICAL_DAYS,
  EXPIRY_PROBLEM_DAYS,
  HOT_KEY_PROBLEM_PER_SECOND,
  HOT_KEY_PROBLEM_SHARE,
  MEMORY_PROBLEM_SHARE,
  SLOW_PROBLEM_MS,
  SLOW_PROBLEM_PER_SECOND,
} from "../limits.ts";
import type { Overview, Problem, ServerOverview, Severity } from "./overview.ts";

/** The facts from which problems follow. */
export type ProblemFacts = Omit<Overview, "problems">;

/** The parts of a problem that its row does not have already. */
interface Finding {
  readonly subject: string;
  readonly text: string;
  /** The severity, if it is not that of the row. */
  readonly severity?: Severity;
}

/** One kind of problem. */
interface Kind {
  readonly severity: Severity;
  /** The description of the problem, for alerts. */
  readonly help: string;
  /** Whether `memory doctor` reports it. */
  readonly isOfMemory?: boolean;
  /** Returns the problem that the role itself has. */
  readonly ofRole?: (role: ProblemFacts) => Finding | undefined;
  /** Returns the problem that a server has. */
  readonly ofServer?: (server: ServerOverview) => Finding | undefined;
}

/** The kinds of problems, by their names. */
export const PROBLEM_KINDS = {
  server_down: {
    severity: "critical",
    help: "A server cannot be used, and neither can its keys.",
    ofServer: ({ address, state, reason, slots }) => {
      if (state !== "down") return undefined;
      const lost = slots > 0 ? `, and its ${slots} slots cannot be used` : "";
      return {
        subject: address,
        text: `The server is down${because(reason)}${lost}: check that it runs and can be reached from the proxy`,
        ...slots === 0 && { severity: "warning" },
      };
    },
  },
  server_suspect: {
    severity: "warning",
    help: "A server does not reply as it should, and may be down soon.",
    ofServer: ({ address, state, reason }) => {
      if (state !== "suspect") return undefined;
      return {
        subject: address,
        text: `The server replies late or fails${because(reason)}: check its load and network`,
      };
    },
  },
  certificate_expiry: {
    severity: "warning",
    help: "A certificate expires within a month. Below a week the problem is critical.",
    ofRole: (role) => role.role === "proxy" ? expiry(role.address, role.certificateExpiresInDays) : undefined,
    ofServer: ({ address, certificateExpiresInDays }) => expiry(address, certificateExpiresInDays),
  },
  authority_expiry: {
    severity: "warning",
    help: "The authority that verifies certificates expires within a month. Below a week the problem is critical.",
    ofRole: ({ address, authorityExpiresInDays }) => expiry(address, authorityExpiresInDays, "authority"),
  },
  writes_refused: {
    severity: "critical",
    help: "A server refuses writes, because it cannot write its log.",
    ofServer: ({ address, writesRefused }) => {
      if (writesRefused === undefined) return undefined;
      return { subject: address, text: `Writes are refused${because(writesRefused)}: make its data folder writable` };
    },
  },
  snapshot_failed: {
    severity: "warning",
    help: "The last snapshot of a server failed, so its log grows.",
    ofServer: ({ address, lastSaveFailed }) => {
      if (lastSaveFailed === undefined) return undefined;
      const what = `The last snapshot failed${because(lastSaveFailed)}`;
      return { subject: address, text: `${what}: make room in its data folder, then run bgsave` };
    },
  },
  memory_full: {
    severity: "critical",
    isOfMemory: true,
    help: "The memory of a server that does not evict keys is nearly full. When it is full, writes are refused.",
    ofServer: (server) => {
      if (server.evicts !== false || !isNearlyFull(server)) return undefined;
      return {
        subject: server.address,
        text: `The memory is ${percent(server.usedBytes! / server.limitBytes!)} full, and writes are refused when it ` +
          "is full: remove keys, raise --max-memory, or evict keys with --eviction lru",
      };
    },
  },
  evicting: {
    severity: "warning",
    isOfMemory: true,
    help: "A server evicts keys, and many reads do not find theirs.",
    ofServer: (server) => {
      const { address, evicts, evictedKeys = 0, hits = 0, misses = 0 } = server;
      if (evicts !== true || evictedKeys === 0 || !isNearlyFull(server)) return undefined;
      const lookups = hits + misses;
      const ratio = hits / lookups;
      if (lookups < EVICTION_PROBLEM_LOOKUPS_MIN_COUNT || ratio >= EVICTION_PROBLEM_HIT_RATIO) return undefined;
      return {
        subject: address,
        text: `The data does not fit into memory: keys are evicted, and only ${percent(ratio)} of reads find theirs: ` +
          "raise --max-memory, add servers, or give keys a TTL",
      };
    },
  },
  big_key: {
    severity: "warning",
    isOfMemory: true,
    help: "The value of a key is so large that commands on it can take long.",
    ofServer: ({ address, bigKey }) => {
      if (bigKey === undefined || burdenOf(bigKey) < 1) return undefined;
      const { name, bytes, elements, type } = bigKey;
      const size = type === "string" ? mebibytes(bytes) : `${elements} elements and ${mebibytes(bytes)}`;
      return {
        subject: name,
        text: `The ${type} has ${size} on ${address}: divide it into several keys; "bigkeys" shows others like it`,
      };
    },
  },
  hot_key: {
    severity: "warning",
    help: "A large part of a server's requests use the same key.",
    ofServer: ({ address, hotKey }) => {
      if (hotKey === undefined) return undefined;
      const { name, requestsPerSecond, share } = hotKey;
      if (requestsPerSecond < HOT_KEY_PROBLEM_PER_SECOND || share < HOT_KEY_PROBLEM_SHARE) return undefined;
      return {
        subject: name,
        text: `${percent(share)} of the requests to ${address} use this key, ${Math.round(requestsPerSecond)} a ` +
          'second: keep its value in the clients, or divide it into several keys; "hotkeys" shows others like it',
      };
    },
  },
  clients_near_limit: {
    severity: "warning",
    help: "A role has nearly as many clients as it accepts.",
    ofRole: ({ role, address, clients, maxClients }) => {
      return role === "proxy" ? manyClients(address, clients, maxClients) : undefined;
    },
    ofServer: ({ address, clients, maxClients }) => manyClients(address, clients, maxClients),
  },
  clients_paused: {
    severity: "warning",
    help: "The requests of clients are held back by `client pause`, all of them or those that write.",
    ofRole: ({ role, address, pausedForMs }) => role === "proxy" ? paused(address, pausedForMs) : undefined,
    ofServer: ({ address, pausedForMs }) => paused(address, pausedForMs),
  },
  slow_commands: {
    severity: "warning",
    help: "One of a hundred commands takes longer than it should.",
    ofRole: (role) => role.role === "proxy" ? slow(role) : undefined,
    ofServer: slow,
  },
} as const satisfies Readonly<Record<string, Kind>>;

/** The name of a kind of problem. */
export type ProblemKind = keyof typeof PROBLEM_KINDS;

/** Returns how large a value is, in proportion to the size from which on it is a problem. */
export function burdenOf({ bytes, elements }: { readonly bytes: number; readonly elements: number }): number {
  return Math.max(bytes / BIG_KEY_PROBLEM_BYTES, elements / BIG_KEY_PROBLEM_ELEMENTS_COUNT);
}

/** Returns the problems that follow from the state of a role, critical ones first. */
export function problemsOf(facts: ProblemFacts): Problem[] {
  const problems: Problem[] = [];
  for (const [kind, row] of Object.entries<Kind>(PROBLEM_KINDS)) {
    const findings = [row.ofRole?.(facts), ...facts.servers.map((server) => row.ofServer?.(server))];
    for (const found of findings) {
      if (found !== undefined) problems.push({ kind, severity: row.severity, ...found });
    }
  }
  return problems.sort((a, b) => Number(b.severity === "critical") - Number(a.severity === "critical"));
}

/** Returns the report of `memory doctor`, in lines; `undefined` when there is no problem of memory. */
export function memoryReport(problems: readonly Problem[]): string | undefined {
  const kinds: Readonly<Record<string, Kind>> = PROBLEM_KINDS;
  const found = problems.filter(({ kind }) => kinds[kind]?.isOfMemory);
  if (found.length === 0) return undefined;
  const lines = found.map(({ kind, subject, text }) => ` * ${kind} (${subject}): ${text}.\n`);
  return `Sam, I have found ${found.length === 1 ? "a problem" : `${found.length} problems`}:\n\n${lines.join("")}`;
}

function expiry(subject: string, days: number | undefined, what = "certificate"): Finding | undefined {
  if (days === undefined || days > EXPIRY_PROBLEM_DAYS) return undefined;
  const when = days < 0 ? "has expired" : days === 0 ? "expires today" : `expires in ${days} days`;
  return {
    subject,
    text: `The ${what} ${when}: replace its file; it is read again without a restart`,
    severity: days <= EXPIRY_CRITICAL_DAYS ? "critical" : "warning",
  };
}

function manyClients(subject: string, clients: number | undefined, maxClients: number | undefined) {
  if (clients === undefined || maxClients === undefined || clients < maxClients * CLIENTS_PROBLEM_SHARE) {
    return undefined;
  }
  return { subject, text: `${clients} of at most ${maxClients} clients are connected: raise --max-clients` };
}

function paused(subject: string, leftMs: number | undefined): Finding | undefined {
  if (leftMs === undefined) return undefined;
  const seconds = Math.ceil(leftMs / 1000);
  return { subject, text: `Requests of clients are held back for ${seconds} s more: "client unpause" ends that` };
}

/** Finds slow commands, unless there are so few commands that one slow one is more than a hundredth of them. */
function slow({ address, p99Ms = 0, opsPerSecond = 0 }: ProblemFacts | ServerOverview): Finding | undefined {
  if (p99Ms < SLOW_PROBLEM_MS || opsPerSecond < SLOW_PROBLEM_PER_SECOND) return undefined;
  const text = `One command of a hundred takes ${Math.round(p99Ms)} ms or more: "slowlog get" shows which`;
  return { subject: address, text };
}

function isNearlyFull({ usedBytes, limitBytes }: ServerOverview): boolean {
  return usedBytes !== undefined && limitBytes !== undefined && usedBytes >= limitBytes * MEMORY_PROBLEM_SHARE;
}

function because(reason: string | undefined): string {
  return reason === undefined || reason === "" ? "" : ` (${reason})`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
