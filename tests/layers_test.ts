/**
 * Holds the one direction that imports go: what a layer may import is said in one table, and the real import graph, as
 * `deno info --json` prints it, is checked against it. Type-only and dynamic imports count like any other.
 *
 * A module's layer is the first name under `src/`: `src/wire/frame.ts` is of `wire`, `src/shell.ts` and
 * `src/shell/history.ts` are of `shell`. A module at the root of `src/` that is no role is a leaf.
 */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join, relative } from "@std/path";

/** One import: both ends are paths under `src/`, or a package's specifier such as `npm:/deno-std@1.4.0/path/mod.js`. */
interface Edge {
  from: string;
  to: string;
}

/** The modules that anything may import and that import nothing but each other. */
const BASE = ["address", "bytes", "errors", "freed_memory", "key_slot", "limits", "run_for"];

/**
 * What each layer may import besides itself and `BASE`. `role` is what every role needs to start,
 * `platform` a module that Deno has built in (`node:`), `package` one from outside, and `types` the modules that give
 * packages their types.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  limits: [],
  errors: [],
  bytes: [],
  freed_memory: [],
  key_slot: [],
  run_for: [],
  // Sockets of the platform are what wire is about.
  wire: ["platform"],
  store: [],
  route: [],
  specification: [],
  // The commands on the connection itself, which a proxy runs as a server does.
  connection: ["wire", "specification"],
  types: ["package"],
  // A token bucket, for lines of the log.
  role: ["role", "route", "specification", "types", "package", "platform"],
  command: ["store", "wire", "connection", "specification", "types", "package", "platform"],
  log: ["wire", "specification", "types", "package", "platform"],
  client: ["wire", "specification", "role"],
  proxy: ["wire", "route", "client", "connection", "specification", "role", "types", "package", "platform"],
  server: ["wire", "command", "connection", "store", "log", "specification", "role", "types", "package", "platform"],
  shell: ["client", "specification", "role", "types", "package", "platform"],
  check: ["log", "role", "types", "package", "platform"],
  restore: ["log", "role", "types", "package", "platform"],
  main: [
    "server",
    "check",
    "restore",
    "proxy",
    "client",
    "shell",
    "specification",
    "role",
    "types",
    "package",
    "platform",
  ],
  mod: ["client", "wire", "specification", "role", "types", "package", "platform"],
};

/** Modules of `src/command/` that are of a layer of their own. */
const LAYER_BY_MODULE: Readonly<Record<string, string>> = {
  specification: "specification",
  call: "specification",
  command_index: "specification",
  admin: "connection",
  admission: "connection",
  binary_text: "connection",
  channel: "connection",
  channel_message: "connection",
  channels: "connection",
  client: "connection",
  client_state: "connection",
  command_facts: "connection",
  command_info: "connection",
  command_syntax: "connection",
  config: "connection",
  configuration: "connection",
  connection: "connection",
  connection_commands: "connection",
  connection_context: "connection",
  glob: "connection",
  glob_text: "connection",
  in_slices: "connection",
  integer_argument: "connection",
  pattern_index: "connection",
  subcommands: "connection",
};

/** The layer of a path under `src/` or of a package's specifier. */
function layerOf(path: string): string {
  if (path.startsWith("node:")) return "platform";
  // The one file above `src/` that is imported: it says the version.
  if (path === "../deno.json") return "package";
  if (/^[a-z]+:/.test(path)) return "package";
  const own = LAYER_BY_MODULE[/^command\/(.*)\.ts$/.exec(path)?.[1] ?? ""];
  if (own !== undefined) return own;
  const layer = path.replace(/(\.d)?\.ts$/, "").split("/")[0] ?? "";
  return layer;
}

/** A sentence for each edge that goes against the direction. */
function violations(edges: readonly Edge[]): string[] {
  const found: string[] = [];
  for (const { from, to } of edges) {
    const source = layerOf(from);
    const target = layerOf(to);
    const allowed = source === target || BASE.includes(target) || MAY_IMPORT[source]?.includes(target);
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
  assertEquals(edges.filter(({ to }) => ["package", "types"].includes(layerOf(to))), []);
});

Deno.test("every source module is reached from main.ts or mod.ts", async () => {
  const reached = new Set<string>();
  for (const root of ["main.ts", "mod.ts"]) {
    for (const { specifier } of (await readGraph(root)).modules) reached.add(nameOf(specifier));
  }
  // The typed packages serve the tests too.
  const dead = (await listSources()).filter((path) => !reached.has(path) && layerOf(path) !== "types");
  assertEquals(dead, []);
});

Deno.test("violations() accepts the direction and names what goes against it", () => {
  assertEquals(
    violations([
      { from: "wire/frame.ts", to: "limits.ts" },
      { from: "wire/frame.ts", to: "wire/request.ts" },
      { from: "command/table.ts", to: "command/specification.ts" },
      { from: "command/string.ts", to: "store/store.ts" },
      { from: "server.ts", to: "log/snapshot.ts" },
      { from: "server.ts", to: "role/options.ts" },
      { from: "role/certs.ts", to: "types/x509.ts" },
      { from: "types/std_path.ts", to: "npm:/deno-std@1.4.0/path/mod.js" },
      { from: "main.ts", to: "server.ts" },
    ]),
    [],
  );
  const against: [string, string][] = [
    ["wire/frame.ts", "store/store.ts"],
    ["wire/frame.ts", "types/std_msgpack.ts"],
    ["wire/frame.ts", "npm:left-pad@1.3.0"],
    ["wire/frame.ts", "role/options.ts"],
    ["store/store.ts", "command/specification.ts"],
    ["route/slots.ts", "node:fs"],
    ["store/store.ts", "npm:/deno-std@1.4.0/msgpack/mod.js"],
    ["limits.ts", "role/options.ts"],
    ["errors.ts", "wire/frame.ts"],
    ["command/specification.ts", "command/table.ts"],
    ["command/specification.ts", "command/connection.ts"],
    ["command/connection.ts", "command/context.ts"],
    ["proxy/local_commands.ts", "command/table.ts"],
    ["client/link.ts", "command/client_state.ts"],
    ["command/table.ts", "log/snapshot.ts"],
    ["log/snapshot.ts", "store/store.ts"],
    ["client.ts", "command/table.ts"],
    ["proxy.ts", "store/store.ts"],
    ["server.ts", "route/slots.ts"],
    ["shell.ts", "server.ts"],
    ["role/options.ts", "server.ts"],
    ["server.ts", "main.ts"],
  ];
  for (const [from, to] of against) {
    assertEquals(violations([{ from, to }]).length, 1, `${from} imports ${to}`);
  }
});
