/** Writes numbers, sizes, times and bytes for people. */

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const DIGITS = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** Stands for a value that is not known. */
export const UNKNOWN = "–";

/**
 * Returns a count: all digits up to five of them, `123K` or `1.23M` beyond.
 *
 * @param {number | null | undefined} value
 */
export function count(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return UNKNOWN;
  return Math.abs(value) < 100_000 ? WHOLE.format(value) : SHORT.format(value);
}

/**
 * Returns a count with all its digits.
 *
 * @param {number} value
 */
export function whole(value) {
  return WHOLE.format(value);
}

/**
 * Returns a rate. Below 10 it has a fraction.
 *
 * @param {number | null | undefined} value
 */
export function rate(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return UNKNOWN;
  if (value === 0 || value >= 10) return count(value);
  return value < 0.1 ? "< 0.1" : value.toFixed(1);
}

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

/**
 * Returns a size in units of 1024, such as `1.5 MB`.
 *
 * @param {number | null | undefined} value
 */
export function bytes(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return UNKNOWN;
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= 1000 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? WHOLE.format(size) : DIGITS.format(size)} ${UNITS[unit]}`;
}

/**
 * Returns a short time, given in ms.
 *
 * @param {number | null | undefined} value
 */
export function latency(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return UNKNOWN;
  if (value < 1) return `${DIGITS.format(Math.round(value * 1000))} µs`;
  return value < 1000 ? `${DIGITS.format(value)} ms` : `${DIGITS.format(value / 1000)} s`;
}

/**
 * Returns a part of a whole as a percentage.
 *
 * @param {number | null | undefined} value 0 to 1
 */
export function percent(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return UNKNOWN;
  const hundredths = value * 100;
  // 99.98 % is not 100 %.
  if (hundredths > 99 && hundredths < 100) return `${Math.min(hundredths, 99.99).toFixed(2)} %`;
  if (hundredths > 0 && hundredths < 0.1) return "< 0.1 %";
  return `${hundredths < 10 && hundredths > 0 ? hundredths.toFixed(1) : Math.round(hundredths)} %`;
}

/**
 * Returns a long time in its two largest units, such as `3 d 4 h`.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  const units = /** @type {const} */ ([["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]]);
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return "0 s";
  const parts = [];
  let rest = Math.floor(seconds);
  for (const [name, size] of units.slice(first, first + 2)) {
    const number = Math.floor(rest / size);
    rest -= number * size;
    if (number > 0) parts.push(`${number} ${name}`);
  }
  return parts.join(" ");
}

const CLOCK = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });

/**
 * Returns the time of the day.
 *
 * @param {number} ms since 1970
 */
export function clock(ms) {
  return CLOCK.format(ms);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Matches characters that are invisible, or that change the order of others. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;

/**
 * Returns bytes as text that shows every one of them: characters that cannot be seen are escaped, and bytes that are
 * not UTF-8 are all shown as `\xNN`, except for printable ASCII.
 *
 * @param {Uint8Array} data
 * @param {boolean} isMultiline whether ends of lines and tabs stay as they are
 */
export function readable(data, isMultiline = false) {
  let text;
  try {
    text = UTF8.decode(data);
  } catch {
    let escaped = "";
    for (const byte of data) {
      escaped += byte >= 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`;
    }
    return escaped;
  }
  return text.replace(HIDDEN, (character) => {
    // Emoji are joined by U+200D.
    if (character === "\u200d" || (isMultiline && (character === "\n" || character === "\t"))) return character;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x80 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/**
 * Returns whether bytes are UTF-8.
 *
 * @param {Uint8Array} data
 */
export function isText(data) {
  try {
    UTF8.decode(data);
    return true;
  } catch {
    return false;
  }
}

/**
 * Returns bytes as lines of 16, each with its offset, in hexadecimal and as ASCII.
 *
 * @param {Uint8Array} data
 */
export function hexadecimal(data) {
  const lines = [];
  for (let start = 0; start < data.length; start += 16) {
    const line = data.subarray(start, start + 16);
    const digits = Array.from(line, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const ascii = Array.from(line, (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${start.toString(16).padStart(6, "0")}  ${digits.padEnd(47)}  ${ascii}`);
  }
  return lines.join("\n");
}

/**
 * Decodes base64.
 *
 * @param {string} text
 */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * Encodes bytes as base64.
 *
 * @param {Uint8Array} data
 */
export function toBase64(data) {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text);
}
