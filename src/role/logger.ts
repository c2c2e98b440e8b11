/**
 * The log on standard error: one line per event.
 *
 * ```text
 * text   2026-11-23T08:00:00.000Z info listening on 127.0.0.1:9443 clients=3 file="my data"
 * json   {"time":"2026-11-23T08:00:00.000Z","level":"info","message":"listening on …","clients":3,"file":"my data"}
 * ```
 *
 * A line may contain values from peers, so control characters are escaped: a peer can neither forge a line nor move a
 * terminal's cursor. Writing is synchronous, so that the last line before an exit is written. Writing never fails: a
 * log that is no longer read is not a reason to stop serving.
 *
 * @module
 */

/** The format of lines. */
export type LogFormat = "text" | "json";

/** The fields of an event, beside its message. `undefined` is left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A writer of events. */
export interface Logger {
  /** Logs an expected event. */
  info(message: string, fields?: LogFields): void;
  /** Logs an event that an operator should know, while the service is not affected. */
  warn(message: string, fields?: LogFields): void;
  /** Logs a failure. */
  error(message: string, fields?: LogFields): void;
}

type Level = keyof Logger;

/**
 * Makes a logger.
 *
 * @param write writes one line with its newline, by default to standard error
 * @param now returns the present in ms since 1970
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createLogger } from "./logger.ts";
 *
 * const lines: string[] = [];
 * const logger = createLogger("text", (line) => lines.push(line), () => 0);
 * logger.info("listening on 127.0.0.1:9443", { tls: true });
 * assertEquals(lines, ["1970-01-01T00:00:00.000Z info listening on 127.0.0.1:9443 tls=true\n"]);
 * ```
 */
export function createLogger(
  format: LogFormat,
  write: (line: string) => void = writeToStandardError,
  now: () => number = Date.now,
): Logger {
  const formatLine = format === "json" ? formatJson : formatText;
  function log(level: Level, message: string, fields: LogFields = {}): void {
    write(`${formatLine(new Date(now()).toISOString(), level, message, fields)}\n`);
  }
  return {
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
  };
}

function formatText(time: string, level: Level, message: string, fields: LogFields): string {
  let line = `${time} ${level} ${escapeControls(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${name}=${formatValue(value)}`;
  }
  return line;
}

/** Formats a value. A string that is not one plain word is quoted, so that its end is clear. */
function formatValue(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  return /^[^\s"=\\\p{C}]+$/u.test(value) ? value : escapeControls(JSON.stringify(value));
}

function formatJson(time: string, level: Level, message: string, fields: LogFields): string {
  const event = { time, level, message };
  // Assigned first for its place in the line, and last so that no field can replace it.
  return escapeControls(JSON.stringify(Object.assign({ ...event }, fields, event)));
}

/** Escapes control and formatting characters and line separators, including those that JSON leaves as they are. */
function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\r") return "\\r";
    if (character === "\t") return "\\t";
    return Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
    ).join("");
  });
}

/** Writes as much as standard error accepts. If it is a full or closed pipe, the rest of the line is lost. */
function writeToStandardError(line: string): void {
  const bytes = new TextEncoder().encode(line);
  try {
    for (let start = 0; start < bytes.length;) start += Deno.stderr.writeSync(bytes.subarray(start));
  } catch {
    // There is no other place to report it.
  }
}
