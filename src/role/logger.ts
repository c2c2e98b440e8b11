/**
 * The log on standard error: one line an event.
 *
 * ```text
 * text   2026-11-23T08:00:00.000Z info listening on 127.0.0.1:9443 clients=3 file="my data"
 * json   {"time":"2026-11-23T08:00:00.000Z","level":"info","message":"listening on …","clients":3,"file":"my data"}
 * ```
 *
 * Values of peers may be in it, so control characters are escaped: nobody can forge a line or move a terminal's cursor.
 * Writing is synchronous, so that the last line before an exit is there, and never fails: a log that nobody reads any
 * more is no reason to stop serving.
 *
 * @module
 */

/** How lines are written. */
export type LogFormat = "text" | "json";

/** What belongs to an event, beside its message. `undefined` is left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Writes events. */
export interface Logger {
  /** Something happened as it should. */
  info(message: string, fields?: LogFields): void;
  /** Something an operator should know of; serving goes on in full. */
  warn(message: string, fields?: LogFields): void;
  /** Something failed. */
  error(message: string, fields?: LogFields): void;
}

type Level = keyof Logger;

/**
 * Makes a logger.
 *
 * @param write takes one line with its newline; standard error unless given
 * @param now the present in ms since 1970
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

/** A string that is not one plain word stands in quotes, so that its end can be told. */
function formatValue(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  return /^[^\s"=\\\p{C}]+$/u.test(value) ? value : escapeControls(JSON.stringify(value));
}

function formatJson(time: string, level: Level, message: string, fields: LogFields): string {
  const event = { time, level, message };
  // Assigned first for its place in the line, and last so that no field can replace it.
  return escapeControls(JSON.stringify(Object.assign({ ...event }, fields, event)));
}

/** Escapes control and formatting characters and line separators; all that JSON leaves of them needs it as well. */
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

/** Writes as much as the other end takes. A full or closed pipe loses the rest of the line. */
function writeToStandardError(line: string): void {
  const bytes = new TextEncoder().encode(line);
  try {
    for (let start = 0; start < bytes.length;) start += Deno.stderr.writeSync(bytes.subarray(start));
  } catch {
    // There is no other place to tell it.
  }
}
