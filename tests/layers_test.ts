/**
 * Holds the one direction that imports go: what a layer may import is said in one table, and the real import graph, as
 * `deno info --json` prints it, is checked against it. Type-only and dynamic imports count like any other.
 *
 * A module's layer is the first name under `src/`: `src/wire/native/frame.ts` is of `wire`, `src/shell/main.ts` and
 * `src/shell/history.ts` are of `shell`. A module at the root of `src/` that is no role is a leaf.
 */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join, relative } from "@std/path";

/** One import: both ends are paths under `src/`, or a package's specifier such as `npm:/deno-std@1.4.0/path/mod.js`. */
interface Edge {
  from: string;
  to: string;
}

/** The modules at the root of `src/` that anything may import, and that import nothing but each other. */
const LEAVES = ["address", "bytes", "errors", "key_slot", "limits", "run_for"];

/**
 * What each layer may import besides itself and the leaves. `platform` is a module that Deno has built in (`node:`), and
 * `package` is one from outside.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  // What everything stands on.
  memory: [],
  catalog: [],
  std: ["package"],
  wire: ["memory"],
  net: ["memory", "platform"],
  store: [],
  log: ["memory", "wire", "platform"],
  route: ["memory"],
  // What a role needs to start.
  role: ["catalog", "route", "std", "platform", "package"],
  // Commands: on the connection itself, which a proxy runs as a server does, and on data.
  connection: ["catalog", "memory", "wire"],
  command: ["catalog", "memory", "wire", "connection", "store"],
  // The roles.
  server: ["memory", "wire", "net", "connection", "command", "store", "log", "role"],
  "proxy/backend": ["memory", "wire", "net", "route", "connection", "role"],
  "proxy/client": ["catalog", "memory", "wire", "route", "connection", "role", "proxy/backend"],
  "proxy/routing": ["catalog", "memory", "wire", "route", "connection", "role", "proxy/backend", "proxy/client"],
  proxy: [
    "memory",
    "wire",
    "net",
    "route",
    "connection",
    "role",
    "proxy/backend",
    "proxy/client",
    "proxy/routing",
  ],
  client: ["catalog", "wire", "net", "role"],
  shell: ["catalog", "client", "role", "std"],
  offline: ["log", "role"],
  // The two ways in.
  main: ["server", "proxy", "shell", "offline", "role"],
  mod: ["client"],
};

/**
 * The layer of a path under `src/` or of a package's specifier: the longest folder that the table names. A module at the
 * root of `src/` is a layer of its own.
 */
function layerOf(path: string): string {
  if (path.startsWith("node:")) return "platform";
  // The one file above `src/` that is imported: it holds the version.
  if (path === "../deno.json" || /^[a-z]+:/.test(path)) return "package";
  const folders = path.replace(/(\.d)?\.ts$/, "").split("/");
  for (let count = folders.length - 1; count > 0; count--) {
    const folder = folders.slice(0, count).join("/");
    if (folder in MAY_IMPORT) return folder;
  }
  return folders[0]!;
}

/** A sentence for each edge that goes against the direction. */
function violations(edges: readonly Edge[]): string[] {
  const found: string[] = [];
  for (const { from, to } of edges) {
    const source = layerOf(from);
    const target = layerOf(to);
    const allowed = source === target || LEAVES.includes(target) || MAY_IMPORT[source]?.includes(target);
    if (!allowed) found.push(`${from} imports ${to}: "${source}" may not import "${target}"`);
  }
  return found;
}

/** The part of `deno info --json` that is read here. */
interface ModuleGraph {
  modules: {
    specifier: string;
    error?: string;
    dependencies?: { specifier: string; code?: { specifier?: string }; type?: { specifier?: string } }[];
  }[];
}

const sourceFolder = fromFileUrl(new URL("../src/", import.meta.url));

async function readGraph(root: string): Promise<ModuleGraph> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", join(sourceFolder, root)],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)) as ModuleGraph;
}

function nameOf(specifier: string): string {
  return specifier.startsWith("file:") ? relative(sourceFolder, fromFileUrl(specifier)) : specifier;
}

function edgesOf(graph: ModuleGraph): Edge[] {
  const edges: Edge[] = [];
  for (const module of graph.modules) {
    if (!module.specifier.startsWith("file:")) continue;
    assertEquals(module.error, undefined, nameOf(module.specifier));
    for (const { specifier, code, type } of module.dependencies ?? []) {
      const target = code?.specifier ?? type?.specifier;
      assert(target !== undefined, `Cannot resolve "${specifier}" in "${nameOf(module.specifier)}"`);
      edges.push({ from: nameOf(module.specifier), to: nameOf(target) });
    }
  }
  return edges;
}

/** The strongly connected parts of more than one module, as Tarjan finds them (1972). */
function circles(imports: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const visit = (module: string): void => {
    order.set(module, order.size);
    lowest.set(module, order.size - 1);
    stack.push(module);
    for (const next of imports.get(module) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(module, Math.min(lowest.get(module)!, lowest.get(next)!));
    }
    if (lowest.get(module) !== order.get(module)) return;
    const part = stack.splice(stack.indexOf(module));
    if (part.length > 1) found.push(part.sort());
  };
  for (const module of imports.keys()) if (!order.has(module)) visit(module);
  return found;
}

async function listSources(folder = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(sourceFolder, folder))) {
    const path = join(folder, name);
    if (isDirectory) found.push(...await listSources(path));
    else if (name.endsWith(".ts")) found.push(path);
  }
  return found.sort();
}

for (const root of ["main.ts", "mod.ts"]) {
  Deno.test(`imports from ${root} go one way`, async () => {
    const edges = edgesOf(await readGraph(root));
    assert(edges.length > 5, `expected a graph, found ${edges.length} imports`);
    assertEquals(violations(edges), []);
  });
}

Deno.test("mod.ts imports no package, so that it can be imported without our import map", async () => {
  const edges = edgesOf(await readGraph("mod.ts"));
  assertEquals(edges.filter(({ to }) => ["package", "std"].includes(layerOf(to))), []);
});

Deno.test("every source module is reached from main.ts or mod.ts", async () => {
  const reached = new Set<string>();
  for (const root of ["main.ts", "mod.ts"]) {
    for (const { specifier } of (await readGraph(root)).modules) reached.add(nameOf(specifier));
  }
  // The typed packages serve the tests too.
  const dead = (await listSources()).filter((path) => !reached.has(path) && layerOf(path) !== "std");
  assertEquals(dead, []);
});

Deno.test("modules do not import each other in a circle, types included", async () => {
  const imports = new Map<string, Set<string>>();
  for (const root of ["main.ts", "mod.ts"]) {
    for (const { from, to } of edgesOf(await readGraph(root))) {
      imports.set(from, (imports.get(from) ?? new Set()).add(to));
    }
  }
  assertEquals(circles(imports), []);
});

Deno.test("circles() finds each circle once, whatever its length", () => {
  const graph = (edges: string[]) => {
    const imports = new Map<string, Set<string>>();
    for (const [from, to] of edges) imports.set(from!, (imports.get(from!) ?? new Set()).add(to!));
    return imports;
  };
  assertEquals(circles(graph(["ab", "bc", "ac", "cd"])), []);
  assertEquals(circles(graph(["ab", "ba", "bc"])), [["a", "b"]]);
  assertEquals(circles(graph(["ab", "bc", "ca", "cd", "de", "ed"])), [["d", "e"], ["a", "b", "c"]]);
});

Deno.test("violations() accepts the direction and names what goes against it", () => {
  assertEquals(
    violations([
      { from: "wire/native/frame.ts", to: "limits.ts" },
      { from: "wire/native/frame.ts", to: "wire/request.ts" },
      { from: "command/dispatch.ts", to: "catalog/specification.ts" },
      { from: "command/string.ts", to: "store/store.ts" },
      { from: "server/server.ts", to: "log/snapshot.ts" },
      { from: "server/main.ts", to: "role/options.ts" },
      { from: "proxy/session.ts", to: "proxy/routing/router.ts" },
      { from: "proxy/routing/router.ts", to: "proxy/client/pending_reply.ts" },
      { from: "role/certs.ts", to: "std/x509.ts" },
      { from: "std/std_path.ts", to: "npm:/deno-std@1.4.0/path/mod.js" },
      { from: "main.ts", to: "server/main.ts" },
    ]),
    [],
  );
  const against: [string, string][] = [
    ["wire/native/frame.ts", "store/store.ts"],
    ["wire/native/frame.ts", "std/std_msgpack.ts"],
    ["wire/native/frame.ts", "npm:left-pad@1.3.0"],
    ["wire/native/frame.ts", "role/options.ts"],
    ["store/store.ts", "catalog/specification.ts"],
    ["route/slots.ts", "node:fs"],
    ["store/store.ts", "npm:/deno-std@1.4.0/msgpack/mod.js"],
    ["limits.ts", "role/options.ts"],
    ["errors.ts", "wire/native/frame.ts"],
    ["catalog/specification.ts", "command/dispatch.ts"],
    ["catalog/specification.ts", "connection/connection.ts"],
    ["connection/connection.ts", "command/context.ts"],
    ["proxy/routing/local_commands.ts", "command/dispatch.ts"],
    ["client/link.ts", "connection/client_state.ts"],
    ["command/dispatch.ts", "log/snapshot.ts"],
    ["log/snapshot.ts", "store/store.ts"],
    ["client/client.ts", "command/dispatch.ts"],
    ["proxy/proxy.ts", "store/store.ts"],
    ["server/server.ts", "route/slots.ts"],
    ["shell/main.ts", "server/server.ts"],
    ["role/options.ts", "server/server.ts"],
    ["server/main.ts", "main.ts"],
    ["proxy/client/outbox.ts", "proxy/routing/router.ts"],
    ["proxy/backend/cluster.ts", "proxy/client/pending_reply.ts"],
    ["proxy/routing/router.ts", "proxy/session.ts"],
  ];
  for (const [from, to] of against) {
    assertEquals(violations([{ from, to }]).length, 1, `${from} imports ${to}`);
  }
});
