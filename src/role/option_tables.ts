/**
 * The options of every role, as data. Parsing, `--help`, the documentation and the tests of deployment use them.
 *
 * @module
 */

import {
  CLIENT_MEMORY_MAX_BYTES,
  CLIENT_MEMORY_MIN_BYTES,
  CLIENTS_MAX_COUNT,
  DEFAULT_TTL_MAX_MS,
  MEMORY_LIMIT_MAX_BYTES,
  MEMORY_LIMIT_MIN_BYTES,
  POOL_CONNECTIONS_MAX_COUNT,
  SNAPSHOT_GROWTH_MAX_PERCENT,
  SNAPSHOT_INTERVAL_MAX_MS,
  TIMEOUT_MAX_MS,
} from "../limits.ts";
import type { Option, OptionTable } from "./options.ts";
import { liveOptions } from "./live_options.ts";
import { targetOptions } from "./target_options.ts";

const help = { kind: "flag", onlyTyped: true, help: "print this text" } as const satisfies Option;

const config = {
  kind: "text",
  valueName: "FILE",
  help: 'options in JSON, such as {"max-clients": 500}, for those that neither the command line nor the environment ' +
    "has; it is read again when it changes",
} as const satisfies Option;

const logFormat = {
  group: "Observing",
  kind: "text",
  choices: ["text", "json"],
  default: "text",
  help: "the format of log lines on standard error",
} as const satisfies Option;

const maxClients = {
  group: "Memory and clients",
  isLive: true,
  kind: "count",
  default: "10000",
  min: 1,
  max: CLIENTS_MAX_COUNT,
  help: "the most connections at the same time; further ones are refused",
} as const satisfies Option;

const maxClientMemory = {
  group: "Memory and clients",
  isLive: true,
  kind: "size",
  min: CLIENT_MEMORY_MIN_BYTES,
  max: CLIENT_MEMORY_MAX_BYTES,
  help: "memory that all clients together may hold: unread replies, incomplete requests, transactions, " +
    "subscriptions; beyond it, the clients that hold the most are refused or disconnected",
} as const satisfies Option;

const cert = {
  group: "Listening",
  kind: "text",
  valueName: "FILE",
  help: "the certificate chain, in PEM; all files of certificates, keys and passwords are read again when " +
    "they change",
  absent: "a local one, made on first use",
} as const satisfies Option;

const key = {
  group: "Listening",
  kind: "text",
  valueName: "FILE",
  help: "the certificate's private key, in PEM, mode 0600",
  absent: "in the file of --cert",
} as const satisfies Option;

const noAuth = {
  group: "Access",
  kind: "flag",
  help: "require no password, even beyond loopback addresses",
} as const satisfies Option;

const plaintextListener = {
  group: "Listening",
  kind: "flag",
  help: "no TLS; on loopback addresses only",
} as const satisfies Option;

const metrics = {
  group: "Listening",
  kind: "address",
  help: "where to serve the live page, /metrics for Prometheus, /healthz and /readyz, by the rules of --addr: TLS, " +
    "and beyond loopback a password",
  absent: "nowhere",
} as const satisfies Option;

const metricsEdit = {
  group: "Listening",
  kind: "flag",
  help: "let the key browser of the live page change keys: delete them, set when they expire, and store strings",
} as const satisfies Option;

const slowCommand = {
  group: "Observing",
  isLive: true,
  kind: "duration",
  default: "10ms",
  max: TIMEOUT_MAX_MS,
  help: "the duration from which a command is in the slow log, which `slowlog get` shows; 0 for every command",
} as const satisfies Option;

const latencyThreshold = {
  group: "Observing",
  isLive: true,
  kind: "duration",
  default: "0",
  max: TIMEOUT_MAX_MS,
  help:
    "the duration from which an event is recorded for `latency`: commands, writes to disk, a busy process; 0 for none",
} as const satisfies Option;

const healthFile = {
  group: "Listening",
  kind: "text",
  valueName: "FILE",
  help:
    "an empty file whose time is set to the present every 5 s while the role is ready, as /readyz says; a check of " +
    "its age needs no connection",
  absent: "none",
} as const satisfies Option;

/** The options of `inmem server`. */
export const serverOptions = {
  usage: "inmem server [OPTIONS]",
  variablePrefix: "INMEM_SERVER_",
  summary:
    "Holds strings, lists, hashes and sets in memory and serves them over TLS. Options may have one dash or two.",
  examples: [
    {
      text: "Keep at most 4 GB, and remove the least recently used keys beyond it",
      command: "inmem server --max-memory 4gb",
    },
    {
      text: "Serve other machines, with a certificate and a password",
      command: "inmem server --addr 0.0.0.0:9443 --cert server.pem --key server.key --password-file password",
    },
    { text: "Take the options from a file", command: "inmem server --config server.json" },
    {
      text: "Keep nothing on disk, and forget keys after a day",
      command: "inmem server --no-persist --default-ttl 1d",
    },
  ],
  options: {
    config,
    addr: {
      group: "Listening",
      kind: "address",
      default: "127.0.0.1:9443",
      help: "where to listen; port 0 lets the system choose",
    },
    cert,
    key,
    data: {
      group: "Data on disk",
      kind: "text",
      valueName: "FOLDER",
      help: "the folder of the data on disk",
      absent: "data in the user's state folder, ~/.local/state/inmem/data",
    },
    "no-persist": { group: "Data on disk", kind: "flag", help: "write nothing to disk" },
    backup: {
      group: "Data on disk",
      kind: "text",
      valueName: "FILE",
      help: "start with the data of this snapshot; refused if the folder holds newer data",
    },
    "backup-folder": {
      group: "Data on disk",
      kind: "text",
      valueName: "FOLDER",
      help: "the only folder to which `save PATH` may write",
      absent: "backups in the data folder",
    },
    repair: {
      group: "Data on disk",
      kind: "flag",
      help: "start from the intact part of damaged data on disk, and log what is left out",
    },
    fsync: {
      group: "Data on disk",
      isLive: true,
      kind: "text",
      choices: ["always", "everysec", "never"],
      default: "everysec",
      help: "when the log is synced: before each reply, every second, or whenever the operating system writes it",
    },
    "snapshot-growth": {
      group: "Data on disk",
      isLive: true,
      kind: "percent",
      default: "100%",
      max: SNAPSHOT_GROWTH_MAX_PERCENT,
      help: "take a snapshot when the log has grown by this share of the last one, and by 64mb; 0% for never",
    },
    "snapshot-interval": {
      group: "Data on disk",
      isLive: true,
      kind: "duration",
      default: "1h",
      max: SNAPSHOT_INTERVAL_MAX_MS,
      help: "take a snapshot after this time if data has changed; 0 for never",
    },
    "max-memory": {
      isLive: true,
      group: "Memory and clients",
      kind: "size",
      min: MEMORY_LIMIT_MIN_BYTES,
      max: MEMORY_LIMIT_MAX_BYTES,
      help: "memory for data, such as 512mb or 4gb",
      absent: "75 % of the container's or machine's memory, and less below 800mb",
    },
    eviction: {
      group: "Memory and clients",
      isLive: true,
      kind: "text",
      choices: ["lru", "none"],
      default: "lru",
      help: "at the memory limit: lru removes the least recently used key, none refuses writes",
    },
    "default-ttl": {
      group: "Memory and clients",
      isLive: true,
      kind: "duration",
      min: 1,
      max: DEFAULT_TTL_MAX_MS,
      help: "the time to live of keys that are set without one, such as 30s or 1d",
      absent: "unlimited",
    },
    "password-file": {
      group: "Access",
      kind: "text",
      valueName: "FILE",
      environment: "INMEM_PASSWORD",
      help: "the password that clients have to send, or two lines with the old and the new one during a change",
    },
    "no-auth": noAuth,
    "max-clients": maxClients,
    "max-client-memory": {
      ...maxClientMemory,
      absent: "a quarter of --max-memory, from 64mb to 1gb; less in a small container",
    },
    "slow-command": slowCommand,
    "latency-threshold": latencyThreshold,
    "enable-debug-command": {
      group: "Observing",
      kind: "flag",
      help: "let clients of this machine block the server with `debug sleep`, for tests",
    },
    plaintext: plaintextListener,
    metrics,
    "metrics-edit": metricsEdit,
    "health-file": healthFile,
    "log-format": logFormat,
    help,
  },
} as const satisfies OptionTable;

/** The options of `inmem proxy`. */
export const proxyOptions = {
  usage: "inmem proxy [OPTIONS]",
  variablePrefix: "INMEM_PROXY_",
  summary: "Spreads keys over the servers that a file lists, and follows that file as it changes. " +
    "`inmem proxy plan` shows in advance what a change of the file moves; its own --help explains how.",
  examples: [
    { text: "Spread keys over the servers that servers.json lists", command: "inmem proxy --servers servers.json" },
    { text: "See what another list would move", command: "inmem proxy plan --servers new.json --from servers.json" },
  ],
  options: {
    config,
    addr: {
      group: "Listening",
      kind: "address",
      default: "127.0.0.1:9444",
      help: "where to listen; port 0 lets the system choose",
    },
    cert,
    key,
    servers: {
      group: "Servers",
      kind: "text",
      valueName: "FILE",
      default: "servers.json",
      help: "the file that lists the servers",
    },
    conns: {
      group: "Servers",
      kind: "count",
      default: "10",
      min: 1,
      max: POOL_CONNECTIONS_MAX_COUNT,
      help: "the most connections to each server that clients share; each protocol in use has one, " +
        "and those that were idle for a minute are closed",
    },
    timeout: {
      group: "Servers",
      kind: "duration",
      default: "10s",
      min: 100,
      max: TIMEOUT_MAX_MS,
      help: "how long a server may take to reply; a server that is silent for 0.5s is probed",
    },
    "connect-timeout": {
      group: "Servers",
      kind: "duration",
      default: "3s",
      min: 100,
      max: TIMEOUT_MAX_MS,
      help: "how long a connection to a server may take until its first reply",
    },
    "on-down": {
      group: "Servers",
      kind: "text",
      choices: ["fail", "remap"],
      default: "fail",
      help: "what happens to the keys of a server that is down: fail refuses requests for them until it is back; " +
        "remap gives them to the next servers, empty, and removes its old keys when it is back (for caches)",
    },
    ca: {
      group: "Servers",
      kind: "text",
      valueName: "FILE",
      help: "the certificates of authorities that verify the servers, in PEM",
      absent: "for servers on loopback addresses the local authority, and the public ones",
    },
    "password-file": {
      group: "Access",
      kind: "text",
      valueName: "FILE",
      environment: "INMEM_PASSWORD",
      help: "the password that clients have to send, or two lines with the old and the new one during a change",
    },
    "servers-password-file": {
      group: "Servers",
      kind: "text",
      valueName: "FILE",
      help: "the password that the proxy sends to the servers, and a second one in case it is refused",
      absent: "the same as for clients",
    },
    "no-auth": noAuth,
    "max-clients": maxClients,
    "max-client-memory": {
      ...maxClientMemory,
      absent: "a quarter of the container's or machine's memory, from 64mb to 1gb; less in a small container",
    },
    plaintext: plaintextListener,
    "slow-command": slowCommand,
    "latency-threshold": latencyThreshold,
    "servers-plaintext": {
      group: "Servers",
      kind: "flag",
      help: "no TLS towards the servers; on loopback addresses only",
    },
    metrics,
    "metrics-edit": metricsEdit,
    "health-file": healthFile,
    "log-format": logFormat,
    help,
  },
} as const satisfies OptionTable;

/** The options of `inmem proxy plan`. */
export const proxyPlanOptions = {
  usage: "inmem proxy plan [OPTIONS]",
  variablePrefix: "INMEM_PROXY_",
  summary: "Prints how many slots each server has by a list of servers, and by the list that it replaces, and " +
    "which slots move from where to where. Connects to nothing and changes nothing.",
  options: {
    servers: { kind: "text", valueName: "FILE", default: "servers.json", help: "the list to plan for" },
    from: {
      kind: "text",
      valueName: "FILE",
      help: "the list before the change",
      absent: "no change, only the shares by --servers",
    },
    json: { kind: "flag", help: "print one line of JSON" },
    help,
  },
} as const satisfies OptionTable;

/** The options of `inmem client`. Everything after the first other argument belongs to the command. */
export const clientOptions = {
  usage: "inmem client [OPTIONS] [COMMAND [ARGUMENT ...]]",
  variablePrefix: "INMEM_",
  summary: "Runs one command; without one, runs the lines of standard input, or prompts for them on a terminal. " +
    "Exit status: 0 done, 1 refused by the server, 2 wrong usage, 3 no connection.",
  stopEarly: true,
  examples: [
    { text: "Store and read a value", command: "inmem client set greeting hello" },
    { text: "Open a prompt at a server", command: "inmem client --addr db1.example:9443 --ca ca.pem" },
    { text: "Run the commands in a file", command: "inmem client < commands.txt" },
    { text: "Get replies as JSON", command: "inmem client --json hgetall user:1" },
  ],
  options: {
    ...targetOptions,
    color: {
      kind: "text",
      valueName: "WHEN",
      choices: ["auto", "always", "never"],
      default: "auto",
      help: "when replies have colours; auto means on a terminal, unless NO_COLOR is set",
    },
    pager: {
      kind: "text",
      valueName: "WHEN",
      choices: ["auto", "never"],
      default: "auto",
      help: "when the prompt shows a reply page by page; auto means when it exceeds the screen",
    },
    json: { kind: "flag", help: "print replies as JSON" },
    quiet: { kind: "flag", onlyTyped: true, help: "print no replies to the lines of standard input, only errors" },
    "stop-on-error": {
      kind: "flag",
      onlyTyped: true,
      help: "end at the first line of standard input that is refused; each line then waits for the one before",
    },
    raw: {
      kind: "flag",
      help: "print replies raw, also on a terminal; the reply of one command exactly, without a newline after it",
    },
    stdin: { kind: "flag", aliases: ["x"], onlyTyped: true, help: "read the last argument from standard input" },
    out: {
      kind: "text",
      valueName: "FILE",
      onlyTyped: true,
      help: "write the reply of the command to a file, exactly; nil leaves the file as it is and exits with 1",
    },
    "fail-nil": { kind: "flag", onlyTyped: true, help: "exit with 1 if the reply of the command is nil" },
    ...liveOptions,
    help,
  },
} as const satisfies OptionTable;

/** The options of `inmem check`. */
export const checkOptions = {
  usage: "inmem check FOLDER|FILE [OPTIONS]",
  variablePrefix: "INMEM_CHECK_",
  summary:
    "Verifies a data folder that no server uses, a snapshot or a segment of a log: every block and record of it. " +
    "Exit status: 0 intact, 1 damaged or torn, 2 not checked: nothing found, in use by a server, or wrong usage.",
  examples: [
    { text: "Verify a data folder", command: "inmem check /var/lib/inmem" },
  ],
  options: {
    json: { kind: "flag", help: "print one line of JSON" },
    help,
  },
} as const satisfies OptionTable;

/** The options of `inmem restore`. */
export const restoreOptions = {
  usage: "inmem restore FILE --data FOLDER [OPTIONS]",
  variablePrefix: "INMEM_RESTORE_",
  summary: "Puts a snapshot into a data folder that no server uses, so that the next start of a server has its data. " +
    "The whole file is verified first. Exit status: 0 restored, 1 not restored, 2 wrong usage.",
  examples: [
    { text: "Put a backup into a folder", command: "inmem restore backup.snapshot --data /var/lib/inmem" },
  ],
  options: {
    data: {
      kind: "text",
      valueName: "FOLDER",
      help: "the data folder, which must hold no data; it is created if necessary",
      absent: "none; it is required",
    },
    "move-aside": {
      kind: "flag",
      help: "first move the folder's data into a new folder in it, replaced-TIME",
    },
    help,
  },
} as const satisfies OptionTable;

/** The options of `inmem certs`. */
export const certsOptions = {
  usage: "inmem certs [FOLDER] [OPTIONS]",
  variablePrefix: "INMEM_CERTS_",
  summary: "Makes a server certificate for localhost and the hosts given, and a local authority that signs it unless " +
    "there is one, in FOLDER or the user's state folder.",
  examples: [
    { text: "Make a certificate for another name of this machine", command: "inmem certs --host db1.example" },
  ],
  options: {
    host: { kind: "text", valueName: "NAME", repeated: true, help: "another host name or IP address of the server" },
    force: { kind: "flag", help: "replace an existing authority; clients then need the new one" },
    help,
  },
} as const satisfies OptionTable;
