/**
 * The graph of imports between the modules of the repository, as `deno info --json` prints it, and searches in it.
 * Type-only and dynamic imports count like any other.
 *
 * @module
 */

import { assert } from "@std/assert";
import { fromFileUrl, join, relative, toFileUrl } from "@std/path";

/** The folder of deno.json. */
export const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** Options by which Deno uses the versions of packages in the tests' lock file, and does not change it. */
export const LOCKED: readonly string[] = [`--lock=${join(ROOT, "tests/deno.lock")}`, "--frozen"];

/**
 * One import. Both ends are paths from the repository's root, or the specifier of an external module, such as
 * `npm:/deno-std@1.4.0/path/mod.js` or `node:fs`.
 */
export interface Edge {
  readonly from: string;
  readonly to: string;
  /** Whether loading the one module loads the other: the import is neither dynamic nor one of types only. */
  readonly isStatic?: boolean;
}

/** The part of the output of `deno info --json` that is used here. */
interface Info {
  modules: {
    specifier: string;
    error?: string;
    dependencies?: {
      specifier: string;
      code?: { specifier?: string };
      type?: { specifier?: string };
      isDynamic?: boolean;
    }[];
  }[];
}

/**
 * Reads the imports of some modules and of all modules that they import, with one call of `deno info`.
 *
 * @param paths the modules, by their paths from the root
 * @throws {AssertionError} when a module cannot be read or an import cannot be resolved
 */
export async function readImports(paths: readonly string[]): Promise<Edge[]> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-graph-" });
  try {
    // It takes one module, so a module that imports them all is written.
    const entry = join(folder, "all.ts");
    await Deno.writeTextFile(entry, paths.map((path) => `import ${quote(path)};\n`).join(""));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", ...LOCKED, "--config", join(ROOT, "deno.json"), entry],
    }).output();
    const text = new TextDecoder();
    assert(success, text.decode(stderr));
    return edgesOf(JSON.parse(text.decode(stdout)) as Info, toFileUrl(entry).href);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function quote(path: string): string {
  return JSON.stringify(toFileUrl(join(ROOT, path)).href);
}

function edgesOf({ modules }: Info, entry: string): Edge[] {
  const edges: Edge[] = [];
  for (const { specifier: module, error, dependencies = [] } of modules) {
    if (!module.startsWith("file:") || module === entry) continue;
    const from = nameOf(module);
    assert(error === undefined, `Cannot read "${from}": ${error}`);
    for (const { specifier, code, type, isDynamic } of dependencies) {
      // A package without types has two targets: its code, and the file that gives it types.
      const targets = new Set([code?.specifier, type?.specifier].filter((target) => target !== undefined));
      assert(targets.size > 0, `Cannot resolve "${specifier}" in "${from}"`);
      for (const target of targets) {
        edges.push({ from, to: nameOf(target), isStatic: target === code?.specifier && isDynamic !== true });
      }
    }
  }
  return edges;
}

function nameOf(specifier: string): string {
  return specifier.startsWith("file:") ? relative(ROOT, fromFileUrl(specifier)) : specifier;
}

/** Returns the modules that some modules import, directly and indirectly, and these modules themselves. */
export function reachedFrom(modules: readonly string[], edges: readonly Edge[]): Set<string> {
  const targets = targetsOf(edges);
  const reached = new Set(modules);
  // Iterating a set includes elements that are added meanwhile.
  for (const module of reached) {
    for (const target of targets.get(module) ?? []) reached.add(target);
  }
  return reached;
}

/**
 * Finds the cycles of a graph: for each set of modules that all import each other, one path from its first module back
 * to itself.
 *
 * The sets are the strongly connected components, by R. Tarjan, "Depth-first search and linear graph algorithms", SIAM
 * Journal on Computing 1 (1972).
 *
 * @returns the modules of each cycle, with the first one again at its end
 */
export function findCycles(edges: readonly Edge[]): string[][] {
  const targets = targetsOf(edges);
  const cycles: string[][] = [];
  for (const component of componentsOf(targets)) {
    const first = component.toSorted()[0]!;
    const cycle = shortestCycle(first, targets, new Set(component));
    if (cycle !== undefined) cycles.push(cycle);
  }
  return cycles.sort((a, b) => a[0]! < b[0]! ? -1 : 1);
}

function targetsOf(edges: readonly Edge[]): Map<string, string[]> {
  const targets = new Map<string, string[]>();
  for (const { from, to } of edges) {
    const known = targets.get(from);
    if (known === undefined) targets.set(from, [to]);
    else known.push(to);
  }
  return targets;
}

function componentsOf(targets: ReadonlyMap<string, readonly string[]>): string[][] {
  const components: string[][] = [];
  /** The order in which modules were first seen. */
  const seen = new Map<string, number>();
  /** The lowest module that each leads back to. */
  const lowest = new Map<string, number>();
  /** The modules whose component is not known yet. */
  const open: string[] = [];
  const isOpen = new Set<string>();

  function visit(module: string): number {
    const number = seen.size;
    seen.set(module, number);
    lowest.set(module, number);
    open.push(module);
    isOpen.add(module);
    for (const target of targets.get(module) ?? []) {
      const reached = seen.has(target) ? (isOpen.has(target) ? seen.get(target)! : Infinity) : visit(target);
      lowest.set(module, Math.min(lowest.get(module)!, reached));
    }
    if (lowest.get(module) === number) {
      const component = open.splice(open.indexOf(module));
      for (const each of component) isOpen.delete(each);
      components.push(component);
    }
    return lowest.get(module)!;
  }

  for (const module of targets.keys()) if (!seen.has(module)) visit(module);
  return components;
}

/** Returns the shortest path from a module back to itself within its component, by breadth-first search. */
function shortestCycle(
  first: string,
  targets: ReadonlyMap<string, readonly string[]>,
  component: ReadonlySet<string>,
): string[] | undefined {
  const source = new Map<string, string>();
  const queue = [first];
  for (const module of queue) {
    for (const target of targets.get(module) ?? []) {
      if (target === first) {
        const cycle = [first];
        for (let each = module; each !== first; each = source.get(each)!) cycle.push(each);
        return [...cycle, first].reverse();
      }
      if (!component.has(target) || source.has(target)) continue;
      source.set(target, module);
      queue.push(target);
    }
  }
  return undefined;
}
