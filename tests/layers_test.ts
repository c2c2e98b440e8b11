/**
 * Imports go in one direction: a table lists what each layer may import, and the imports that `deno info` finds are
 * checked against it. Type-only and dynamic imports count like any other. `tidy_test.ts` finds cycles.
 *
 * A module's layer is the longest folder under `src/` that the table names: `src/wire/native/frame.ts` is in
 * `wire/native`, `src/shell/main.ts` and `src/shell/history.ts` are in `shell`. The modules at the root of `src/` are
 * leaves, except for the two entry points.
 */

import { assert, assertEquals } from "@std/assert";
import { type Edge, reachedFrom, readImports, ROOT } from "./support/module_graph.ts";
import { listFiles } from "./support/tidy/files.ts";

/** The modules at the root of `src/` that any module may import, and that import only each other. */
const LEAVES = [
  "address",
  "bounded_file",
  "bytes",
  "effects",
  "errors",
  "key_slot",
  "limits",
  "operating_system",
  "run_for",
];

/**
 * The modules that each layer may import in addition to itself and the leaves. `platform` is a module that Deno has
 * built in (`node:`), and `package` is one from outside.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  // The parts that everything else uses.
  memory: [],
  catalog: [],
  metrics: [],
  std: ["package"],
  terminal: [],
  wire: ["memory"],
  "wire/native": ["memory", "wire"],
  "wire/resp": ["memory", "wire"],
  net: ["memory", "metrics", "platform"],
  store: [],
  log: ["memory", "wire/native", "platform"],
  route: ["memory", "metrics"],
  http: ["memory", "net"],
  // The parts that a role needs to start, and to serve clients.
  role: [
    "catalog",
    "memory",
    "metrics",
    "wire",
    "wire/native",
    "wire/resp",
    "net",
    "route",
    "std",
    "platform",
    "package",
  ],
  // The port of --metrics, which observes a role.
  page: ["metrics", "net", "http", "std", "catalog", "client", "role"],
  // The commands: those on the connection itself, which a proxy runs as a server does, and those on data.
  connection: ["catalog", "memory", "metrics", "wire"],
  command: ["catalog", "memory", "metrics", "wire", "connection", "store"],
  // The roles.
  server: [
    "page",
    "memory",
    "metrics",
    "wire",
    "wire/native",
    "wire/resp",
    "net",
    "connection",
    "command",
    "store",
    "log",
    "role",
  ],
  "proxy/backend": ["memory", "metrics", "wire", "wire/native", "wire/resp", "net", "route", "connection", "role"],
  "proxy/client": [
    "catalog",
    "memory",
    "metrics",
    "wire",
    "wire/native",
    "wire/resp",
    "net",
    "route",
    "connection",
    "role",
    "proxy/backend",
  ],
  "proxy/routing": [
    "catalog",
    "memory",
    "metrics",
    "wire",
    "wire/native",
    "wire/resp",
    "route",
    "connection",
    "role",
    "proxy/backend",
    "proxy/client",
  ],
  proxy: [
    "page",
    "memory",
    "metrics",
    "wire",
    "wire/native",
    "wire/resp",
    "net",
    "route",
    "connection",
    "role",
    "proxy/backend",
    "proxy/client",
    "proxy/routing",
  ],
  client: ["catalog", "wire", "wire/native", "net", "role"],
  load: ["memory", "metrics", "wire", "wire/native", "wire/resp", "net", "client", "role", "target", "terminal"],
  // The server that a tool talks to.
  target: ["client", "role"],
  shell: ["catalog", "metrics", "wire", "wire/resp", "net", "terminal", "client", "load", "role", "std", "target"],
  transfer: ["wire/native", "client", "role", "load", "target", "terminal"],
  offline: ["log", "role"],
  manual: ["catalog", "role"],
  // The entry points.
  main: ["server", "proxy", "shell", "target", "load", "transfer", "offline", "manual", "role"],
  mod: ["client"],
};

/**
 * Returns the layer of a path under `src/` or of a package's specifier: the longest folder in the table. A module at
 * the root of `src/` is itself a layer.
 */
function layerOf(path: string): string {
  if (path.startsWith("node:")) return "platform";
  // This is the one imported file outside of `src/`, which contains the version.
  if (path === "deno.json" || /^[a-z]+:/.test(path)) return "package";
  const folders = path.replace(/(\.d)?\.ts$/, "").split("/");
  for (let count = folders.length - 1; count > 0; count--) {
    const folder = folders.slice(0, count).join("/");
    if (folder in MAY_IMPORT) return folder;
  }
  return folders[0]!;
}

/** Returns a sentence for each import against the direction. */
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

/** Returns a path under `src/`. Other paths keep their names. */
function inSource(path: string): string {
  return path.replace(/^src\//, "");
}

const EDGES = (await readImports(["src/main.ts", "src/mod.ts"])).map((edge): Edge => {
  return { ...edge, from: inSource(edge.from), to: inSource(edge.to) };
});

Deno.test("imports from main.ts and mod.ts go one way", () => {
  assert(EDGES.length > 100, `expected a graph, found ${EDGES.length} imports`);
  assertEquals(violations(EDGES), []);
});

Deno.test("mod.ts imports no package, so that it can be imported without inmem's import map", () => {
  const packages = [...reachedFrom(["mod.ts"], EDGES)].filter((path) => ["package", "std"].includes(layerOf(path)));
  assertEquals(packages, []);
});

Deno.test("a role loads the modules of --metrics only when the option is given", () => {
  const edges = EDGES.filter(({ isStatic }) => isStatic);
  const loaded = reachedFrom(["server/main.ts", "proxy/main.ts"], edges);
  assert(loaded.has("server/server.ts") && loaded.has("proxy/proxy.ts"));
  assertEquals([...loaded].filter((path) => ["page", "http"].includes(layerOf(path)) || path.includes("prom")), []);
  assert(reachedFrom(["page/metrics_port.ts"], edges).has("std/prom_client.ts"));
});

Deno.test("every source module is reached from main.ts or mod.ts", () => {
  const reached = reachedFrom(["main.ts", "mod.ts"], EDGES);
  const sources = listFiles(ROOT).filter((path) => /^src\/.*\.ts$/.test(path)).map(inSource);
  // The types of packages also serve the tests.
  assertEquals(sources.filter((path) => !reached.has(path) && layerOf(path) !== "std"), []);
});

Deno.test("reachedFrom() follows imports over several modules, and round cycles", () => {
  const edges = [["a", "b"], ["b", "c"], ["c", "b"], ["d", "a"]].map(([from, to]) => ({ from: from!, to: to! }));
  assertEquals([...reachedFrom(["a"], edges)], ["a", "b", "c"]);
});

Deno.test("violations() accepts the direction and reports what goes against it", () => {
  assertEquals(
    violations([
      { from: "wire/native/frame.ts", to: "limits.ts" },
      { from: "wire/native/frame.ts", to: "wire/request.ts" },
      { from: "command/dispatch.ts", to: "catalog/specification.ts" },
      { from: "command/string.ts", to: "store/store.ts" },
      { from: "server/server.ts", to: "log/snapshot.ts" },
      { from: "server/main.ts", to: "role/options.ts" },
      { from: "proxy/session.ts", to: "proxy/routing/router.ts" },
      { from: "proxy/routing/router.ts", to: "proxy/client/client_link.ts" },
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
    ["wire/reply.ts", "wire/native/reply_writer.ts"],
    ["wire/request_limits.ts", "wire/resp/request_decoder.ts"],
    ["wire/resp/look_ahead.ts", "wire/native/look_ahead.ts"],
    ["wire/native/frame.ts", "wire/resp/bytes.ts"],
    ["client/link.ts", "wire/resp/reply_reader.ts"],
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
    ["proxy/backend/cluster.ts", "proxy/client/client_link.ts"],
    ["proxy/routing/router.ts", "proxy/session.ts"],
  ];
  for (const [from, to] of against) {
    assertEquals(violations([{ from, to }]).length, 1, `${from} imports ${to}`);
  }
});
