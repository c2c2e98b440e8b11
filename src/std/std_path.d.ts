/** Types of the part of `@std/path` 1.x that inmem uses. Its npm package contains no types. */

/** The parts of a path, as `parse` returns them. */
export interface ParsedPath {
  root: string;
  dir: string;
  base: string;
  ext: string;
  name: string;
}

/** The separator of the names in a path. */
export const SEPARATOR: "/" | "\\";
/** Matches one separator or several in a row. */
export const SEPARATOR_PATTERN: RegExp;
/** The separator of the paths of a list such as `PATH`. */
export const DELIMITER: ":" | ";";

/** Returns the last name of a path, without `suffix` if it ends with it. */
export function basename(path: string | URL, suffix?: string): string;
/** Returns the longest folder path that all have in common. */
export function common(paths: string[]): string;
/** Returns the path without its last name. */
export function dirname(path: string | URL): string;
/** Returns the extension with its dot, or "". */
export function extname(path: string | URL): string;
/** Formats a path from its parts, as the inverse of `parse`. */
export function format(pathObject: Partial<ParsedPath>): string;
/** Returns the path of a `file:` URL. Throws a `TypeError` if it is another kind of URL. */
export function fromFileUrl(url: URL | string): string;
/** Returns whether the path begins at the root. */
export function isAbsolute(path: string): boolean;
/** Joins and normalizes paths. */
export function join(path: string | URL, ...paths: string[]): string;
/** Resolves `.`, `..` and repeated separators. */
export function normalize(path: string | URL): string;
/** Splits a path into its parts. */
export function parse(path: string): ParsedPath;
/** Returns the relative path from one path to another. */
export function relative(from: string, to: string): string;
/** Returns an absolute path. Segments are applied from right to left, and the working folder last. */
export function resolve(...pathSegments: string[]): string;
/** Returns a `file:` URL of an absolute path. Throws a `TypeError` if the path is relative. */
export function toFileUrl(path: string): URL;
