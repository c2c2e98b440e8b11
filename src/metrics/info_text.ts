/**
 * The text of `info`: sections of `name:value` lines, made from the rows of a table.
 *
 * ```text
 * # Memory
 * used_memory:1572864
 * used_memory_human:1.50M
 *
 * # Keyspace
 * db0:keys=2,expires=1,avg_ttl=5000
 * ```
 *
 * @module
 */

import { type Metric, type Section, SECTIONS } from "./metric.ts";
import { Values } from "./values.ts";

/** The sections that are written only to a client that names them, or asks for `all` or `everything`. */
const OPTIONAL: readonly Section[] = ["commandstats", "latencystats"];

/** Returns the sections that a client wants by the names that it sends, in lower case. Unknown names are ignored. */
export function sectionsOf(names: readonly string[]): Section[] {
  const wantsAll = names.includes("all") || names.includes("everything");
  const wantsDefault = names.length === 0 || names.includes("default");
  return SECTIONS.filter((section) => {
    return wantsAll || names.includes(section) || (wantsDefault && !OPTIONAL.includes(section));
  });
}

/**
 * Writes sections, with `\r\n` after each line and an empty line between sections.
 *
 * @param names the names that a client sends, for {@linkcode sectionsOf}
 */
export function formatInfo<Facts>(rows: readonly Metric<Facts>[], facts: Facts, names: readonly string[]): string {
  const sections = sectionsOf(names);
  const texts = new Map<Section, string>(sections.map((section) => [section, `# ${titleOf(section)}\r\n`]));
  const compounds = new Map<string, [section: Section, part: string, value: number][]>();
  const values = new Values(facts);
  const add = (section: Section, line: string) => texts.set(section, `${texts.get(section)!}${line}\r\n`);
  for (const row of rows) {
    if (!("section" in row) || row.field === undefined || !texts.has(row.section)) continue;
    if (row.type === "lines") {
      for (const [name, value] of row.lines(facts)) add(row.section, `${name}:${value}`);
      continue;
    }
    const value = values.read(row);
    if (value === undefined) continue;
    const [name, part] = row.field.split(".");
    if (part !== undefined) {
      const parts = compounds.get(name!) ?? [];
      compounds.set(name!, [...parts, [row.section, part, Number(value)]]);
      continue;
    }
    add(row.section, `${row.field}:${typeof value === "string" ? oneLine(value) : value}`);
    if (row.human) add(row.section, `${row.field}_human:${formatHuman(Number(value))}`);
  }
  for (const [name, parts] of compounds) {
    // An empty database has no line, as in Redis.
    if (parts.every(([, , value]) => value === 0)) continue;
    add(parts[0]![0], `${name}:${parts.map(([, part, value]) => `${part}=${value}`).join(",")}`);
  }
  return [...texts.values()].join("\r\n");
}

function titleOf(section: Section): string {
  return section === "cpu" ? "CPU" : section[0]!.toUpperCase() + section.slice(1);
}

/** Returns a text in which ends of lines are spaces, such as those of a system's error. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ");
}

/** Returns a number of bytes as Redis writes it for people, such as `1.50M`. */
export function formatHuman(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let size = bytes;
  let unit = -1;
  while (size >= 1024 && unit < 5) {
    size /= 1024;
    unit++;
  }
  return `${size.toFixed(2)}${"KMGTPE"[unit]}`;
}
