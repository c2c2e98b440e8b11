/** Types of the part of `@std/path` 1.x that inmem uses. The code comes from npm without any. */

/** The parts of a path, as `parse` returns them. */
export interface ParsedPath {
  root: string;
  dir: string;
  base: string;
  ext: string;
  name: string;
}

/** What separates the names in a path. */
export const SEPARATOR: "/" | "\\";
/** One separator or several in a row. */
export const SEPARATOR_PATTERN: RegExp;
/** What separates the paths of a list such as `PATH`. */
export const DELIMITER: ":" | ";";

/** The last name of a path, without `suffix` if it ends so. */
export function basename(path: string | URL, suffix?: string): string;
/** The longest folder path that all have in common. */
export function common(paths: string[]): string;
/** The path without its last name. */
export function dirname(path: string | URL): string;
/** The extension with its dot, or "". */
export function extname(path: string | URL): string;
/** The inverse of `parse`. */
export function format(pathObject: Partial<ParsedPath>): string;
/** The path of a `file:` URL. @throws {TypeError} if it is another kind of URL */
export function fromFileUrl(url: URL | string): string;
/** Whether the path begins at the root. */
export function isAbsolute(path: string): boolean;
/** Joins and normalizes. */
export function join(path: string | URL, ...paths: string[]): string;
/** Resolves `.`, `..` and repeated separators. */
export function normalize(path: string | URL): string;
/** Splits a path into its parts. */
export function parse(path: string): ParsedPath;
/** The way from one path to another. */
export function relative(from: string, to: string): string;
/** An absolute path, from the right to the left, against the working folder. */
export function resolve(...pathSegments: string[]): string;
/** A `file:` URL of an absolute path. @throws {TypeError} if the path is relative */
export function toFileUrl(path: string): URL;
