/**
 * The files of the project and its pages, for tests that compare what is written with what is there.
 *
 * @module
 */

import { assert } from "@std/assert";
import { ROOT } from "../../cluster/role_process.ts";
import { parsePage } from "./markdown.ts";
import type { Page } from "./markdown.ts";
import { listPages } from "./pages.ts";

/** What programs make in the folders of the project, which git ignores. */
const MADE = /^cluster\/(certs|data|servers\.json)|^certs\/.*\.(pem|key)$/;

/** Paths of the files in the folders of the project, and of those in its root, relative to the root. */
export const FILES: readonly string[] = [
  ...[...Deno.readDirSync(ROOT)].filter(({ isFile }) => isFile).map(({ name }) => name),
  ...[".ci/", ".github/", "bench/", "certs/", "cluster/", "src/", "tests/"].flatMap(listFiles),
];

/** The text of each page, by its path. */
export const TEXTS: ReadonlyMap<string, string> = new Map(listPages().map((path) => [path, readFile(path)]));

/** Each page, taken apart, by its path. */
export const PAGES: ReadonlyMap<string, Page> = new Map([...TEXTS].map(([path, text]) => [path, parsePage(text)]));

/** Returns the text of a file. */
export function readFile(path: string): string {
  return Deno.readTextFileSync(ROOT + path);
}

/** Returns a page, taken apart. */
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

function listFiles(folder: string): string[] {
  return [...Deno.readDirSync(ROOT + folder)].filter(({ name }) => !MADE.test(folder + name))
    .flatMap(({ name, isDirectory }) => isDirectory ? listFiles(`${folder}${name}/`) : [folder + name]);
}
