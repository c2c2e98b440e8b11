/**
 * The files of the project and its pages, for tests that compare texts with the files.
 *
 * @module
 */

import { assert } from "@std/assert";
import { ROOT } from "../../cluster/role_process.ts";
import { parsePage } from "./markdown.ts";
import type { Page } from "./markdown.ts";
import { listPages } from "./pages.ts";
import { listFiles } from "./tidy/files.ts";

/** The paths of the files of the project, relative to its root. */
export const FILES: readonly string[] = listFiles(ROOT);

/** The text of each page, by its path. */
export const TEXTS: ReadonlyMap<string, string> = new Map(listPages().map((path) => [path, readFile(path)]));

/** The parsed pages, by path. */
export const PAGES: ReadonlyMap<string, Page> = new Map([...TEXTS].map(([path, text]) => [path, parsePage(text)]));

/** Returns the text of a file. */
export function readFile(path: string): string {
  return Deno.readTextFileSync(ROOT + path);
}

/** Returns a parsed page. */
export function pageOf(path: string): Page {
  const page = PAGES.get(path);
  assert(page !== undefined, `there is no page "${path}"`);
  return page;
}

/** Returns whether a path is a file, or a folder with a file in it. */
export function isThere(path: string): boolean {
  const folder = path.replace(/\/?$/, "/");
  return FILES.some((file) => file === path || file.startsWith(folder));
}
