/**
 * Tests the Dockerfile and `cluster/docker-compose.yml` without a container engine. Every path in them has to exist,
 * and the command line of each service and its health check really run: with a container's paths replaced by those of a
 * temporary folder, and its addresses by free ports of loopback.
 */

import { assert, assertEquals, assertExists, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { parse } from "@std/yaml";
import { describeStatus, RoleProcess, ROOT } from "../cluster/role_process.ts";
import { parseDuration, parseSize } from "../src/role/quantities.ts";
import { longOnly } from "./support/amount.ts";
import { runInmem } from "./support/launcher.ts";
import { until } from "./support/until.ts";

interface Service {
  image: string;
  build?: { context: string; args: Record<string, string> };
  command: string;
  secrets?: string[];
  volumes: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { disable: true };
  mem_limit?: string;
  memswap_limit?: string;
}

interface Compose {
  services: Record<string, Service>;
  secrets: Record<string, { environment: string }>;
  volumes: Record<string, null>;
}

const clusterFolder = join(ROOT, "cluster");
const PASSWORD = "a password of the deployment test";

async function readCompose(): Promise<Compose> {
  return parse(await Deno.readTextFile(join(clusterFolder, "docker-compose.yml"))) as Compose;
}

/** Returns the instructions of the Dockerfile, with continued lines joined and without comments. */
async function readDockerfile(): Promise<{ instruction: string; value: string }[]> {
  const text = await Deno.readTextFile(join(ROOT, "Dockerfile"));
  return text.replaceAll("\\\n", " ").split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
    const [instruction = "", ...rest] = line.trim().split(/\s+/);
    return { instruction, value: rest.join(" ") };
  });
}

function exists(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}

Deno.test("docker-compose.yml names only services, volumes, secrets and files that exist", async () => {
  const { services, secrets, volumes } = await readCompose();
  assertEquals(Object.keys(services), ["certs", "server1", "server2", "server3", "proxy"]);
  const used = new Set<string>();
  for (const [name, service] of Object.entries(services)) {
    for (const dependency of Object.keys(service.depends_on ?? {})) {
      assert(dependency in services, `${name}: ${dependency}`);
    }
    for (const secret of service.secrets ?? []) assert(secret in secrets, `${name}: ${secret}`);
    for (const volume of service.volumes) {
      const [source = ""] = volume.split(":");
      if (source.startsWith(".")) assert(await exists(join(clusterFolder, source)), `${name}: ${source}`);
      else assert(source in volumes, `${name}: ${source}`);
      used.add(source);
    }
    if (service.build) {
      assert(await exists(join(clusterFolder, service.build.context, "Dockerfile")), name);
      const named = (await readDockerfile()).filter(({ instruction }) => instruction === "ARG").map(({ value }) =>
        value
      );
      assertEquals(Object.keys(service.build.args).map((argument) => `${argument}=`), named);
    }
  }
  assertEquals([...used].filter((name) => name in volumes).sort(), Object.keys(volumes).sort());
});

Deno.test("docker-compose.yml: every path in a container is mounted, and every server is listed and certified", async () => {
  const { services } = await readCompose();
  for (const [name, service] of Object.entries(services)) {
    const mounted = service.volumes.map((volume) => volume.split(":")[1] ?? "");
    mounted.push(...(service.secrets ?? []).map((secret) => `/run/secrets/${secret}`));
    const paths = service.command.split(" ").filter((word) => word.startsWith("/"));
    for (const path of paths) {
      assert(
        mounted.some((mount) => path === mount || path.startsWith(`${mount}/`)),
        `${name}: "${path}" is not mounted`,
      );
    }
  }
  const listed = JSON.parse(await Deno.readTextFile(join(clusterFolder, "docker", "servers.json"))) as {
    addr: string;
  }[];
  const servers = Object.keys(services).filter((name) => name.startsWith("server"));
  assertEquals(listed.map(({ addr }) => addr), servers.map((name) => `${name}:9443`));
  const certified = services.certs?.command.split(" ").filter((_, index, words) => words[index - 1] === "--host");
  assertEquals(certified, [...servers, "proxy"]);
});

Deno.test("Dockerfile copies files that exist and are not ignored, and builds with the pinned Deno", async () => {
  const instructions = await readDockerfile();
  const unignored = (await Deno.readTextFile(join(ROOT, ".dockerignore"))).split("\n")
    .filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  const copied = instructions.filter(({ instruction, value }) => instruction === "COPY" && !value.startsWith("--from"))
    .flatMap(({ value }) => value.split(" ").slice(0, -1));
  // The runtime that DENORT_BIN names may be there or not, hence the pattern.
  assertEquals(copied.map((path) => path.replace("denor[t]", "denort")).sort(), unignored.sort());
  for (const path of copied) assert(path.includes("[") || await exists(join(ROOT, path)), path);
  const build = instructions.find(({ instruction, value }) => instruction === "RUN" && value.includes("npx"));
  assert(build?.value.endsWith(`npx -y deno@${Deno.version.deno} task compile`), build?.value);
  const gate = await Deno.readTextFile(join(ROOT, ".ci", "run"));
  assertStringIncludes(gate, `npx -y deno@${Deno.version.deno}`);
  const user = instructions.findLastIndex(({ instruction }) => instruction === "USER");
  assert(
    user > instructions.findLastIndex(({ instruction }) => instruction === "FROM"),
    "expected a user for the last image",
  );
  assertEquals(instructions[user]?.value, "inmem");
});

Deno.test("deno.json leaves packages and the lock file to the tasks", async () => {
  // Before it runs a task, Deno downloads the npm packages of the "imports" in deno.json, or of a lock file that it
  // knows, and it does so without the DENO_TLS_CA_STORE that the task sets. Behind a proxy that inspects TLS this would
  // fail in a fresh clone. The import map is therefore a separate file, and each task names the lock file itself.
  const config = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))) as {
    imports?: unknown;
    lock?: unknown;
    tasks: Record<string, { command: string }>;
  };
  assertEquals(config.imports, undefined);
  assertEquals(config.lock, false);
  for (const [name, { command }] of Object.entries(config.tasks)) {
    for (const [part, word] of command.matchAll(/\bdeno (run|test|bench|bundle|compile|check|doc)\b[^&]*/g)) {
      // The scripts of the live page import no package.
      if (part.includes("--no-lock --config=src/page/assets/deno.json")) continue;
      // The packages are in the bundle. With the lock file, they would be in the binary a second time.
      if (part.includes("--no-lock") && part.endsWith(" .bundle/main.js")) continue;
      // A task that reads the tests needs the clients that they use. All others do without.
      const lock = /\btests\/(?:system\/)?[")]?$|^deno check\b/.test(part.trim()) ? "tests/deno.lock" : "deno.lock";
      assertStringIncludes(part, `--lock=${lock} --frozen`, `${name}: deno ${word}`);
      assertStringIncludes(command, "DENO_TLS_CA_STORE=system,mozilla", name);
    }
  }
});

Deno.test("docker-compose.yml gives each server a share of the memory", async () => {
  const { services } = await readCompose();
  const sizes = Object.entries(services).filter(([name]) => name.startsWith("server")).map(([name, service]) => {
    assertEquals(service.memswap_limit, service.mem_limit, name);
    // The server takes its limit from that of its container.
    assert(!service.command.includes("--max-memory"), name);
    const share = /^\$\{INMEM_SERVER_MEMORY:-([0-9]+[mg])\}$/.exec(service.mem_limit ?? "")?.[1];
    assertExists(share, name);
    return parseSize(share);
  });
  assertEquals(sizes.length, 3);
  for (const size of sizes) assert(size >= parseSize("256mb"));
  assert(sizes.reduce((sum, size) => sum + size, 0) <= parseSize("3gb"), "expected to fit a machine of 4 GB");
});

/** Returns the health check of the image: its shell command, and the environment that names its file. */
async function readHealthCheck(): Promise<{ command: string; path: string; environment: Record<string, string> }> {
  const instructions = await readDockerfile();
  const check = instructions.find(({ instruction }) => instruction === "HEALTHCHECK")!.value;
  const [, interval, command] = /--interval=(\S+) .* CMD (.*)$/.exec(check)!;
  const { value } = instructions.find(({ instruction }) => instruction === "ENV")!;
  const environment = Object.fromEntries(value.split(" ").map((each) => each.split("=")));
  const path = /find (\S+) /.exec(command!)![1]!;
  assert(parseDuration(interval!) >= 5_000);
  return { command: command!, path, environment };
}

/** Runs a health check of the image against another file, and returns whether it succeeds. */
async function isHealthy(command: string, path: string, file: string): Promise<boolean> {
  const args = ["-c", command.replaceAll(path, file)];
  return (await new Deno.Command("sh", { args, stdout: "null", stderr: "null" }).output()).success;
}

Deno.test("Dockerfile: the health check starts no program of ours, and reads the file that every role writes", async () => {
  const { command, path, environment } = await readHealthCheck();
  assert(!/\binmem\b(?!\/)/.test(command), command);
  // The role makes it in a folder of its user.
  const folders = (await readDockerfile()).find(({ instruction, value }) =>
    instruction === "RUN" && /useradd/.test(value)
  );
  assertStringIncludes(folders!.value, `--owner=inmem --mode=0755 ${path.slice(0, path.lastIndexOf("/"))}`);
  assertEquals(environment, { INMEM_SERVER_HEALTH_FILE: path, INMEM_PROXY_HEALTH_FILE: path });
  const { services } = await readCompose();
  for (const [name, { healthcheck }] of Object.entries(services)) {
    assertEquals(healthcheck?.disable, name === "certs" ? true : undefined, name);
  }
});

/** The part of a lock file that this test reads. */
interface LockFile {
  specifiers: Record<string, string>;
  npm: Record<string, unknown>;
}

Deno.test("tests/deno.lock pins the packages of deno.lock, and the clients of Redis, which only tests need", async () => {
  // `deno run` downloads every package of the lock file, needed or not.
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(join(ROOT, path))) as LockFile;
  const [program, tests] = [await read("deno.lock"), await read("tests/deno.lock")];
  for (const part of ["specifiers", "npm"] as const) {
    assertEquals(
      Object.fromEntries(Object.keys(program[part]).map((name) => [name, tests[part][name]])),
      program[part],
    );
  }
  assertEquals(Object.keys(program.specifiers).filter((name) => name.includes("redis")), []);
  assert(Object.keys(tests.specifiers).some((name) => name.startsWith("npm:ioredis@")));
});

/** The replacements of a container's paths and addresses. The longest prefix of a path counts. */
type Places = Readonly<Record<string, string>>;

/** Returns the words of a container's command line with the replacements. */
function localize(words: readonly string[], places: Places): string[] {
  const prefixes = Object.keys(places).sort((a, b) => b.length - a.length);
  return words.map((word) => {
    const prefix = prefixes.find((candidate) => word === candidate || word.startsWith(`${candidate}/`));
    return prefix === undefined ? word : `${places[prefix]}${word.slice(prefix.length)}`;
  });
}

/** Runs `inmem` to its end, and asserts that it succeeds. */
async function run(words: readonly string[], env?: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await runInmem(words, { env });
  assertEquals(code, 0, `inmem ${words.join(" ")}\n${stderr}`);
  return stdout;
}

/**
 * Runs `body` in a folder with the files that the containers mount, and stops in reverse order what `body` has started.
 */
async function inFolder(body: (folder: string, started: RoleProcess[]) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const started: RoleProcess[] = [];
  const ends: string[] = [];
  try {
    // In a container it is under /run/secrets, where every user may read a file.
    await Deno.writeTextFile(join(folder, "password"), `${PASSWORD}\n`, { mode: 0o600 });
    await body(folder, started);
  } finally {
    for (const role of started.reverse()) {
      const status = await role.stop();
      if (!status.success) ends.push(`${role.name}: ${describeStatus(status)}${role.lastLines()}`);
    }
    await Deno.remove(folder, { recursive: true });
  }
  assertEquals(ends, []);
}

Deno.test(
  "docker-compose.yml: every command line and health check runs, and the cluster keeps a key",
  longOnly,
  async () => {
    const { services } = await readCompose();
    await inFolder(async (folder, started) => {
      const places = {
        "/certs": join(folder, "certs"),
        "/etc/inmem": folder,
        "/run/secrets/inmem_password": join(folder, "password"),
        "0.0.0.0:9443": "127.0.0.1:0",
        "0.0.0.0:9543": "127.0.0.1:0",
      };
      const wordsOf = (name: string) => services[name]?.command.split(" ") ?? [];
      await run(localize(wordsOf("certs"), places));

      const check = await readHealthCheck();
      /** Starts a service, and waits until its health check succeeds. */
      const start = async (name: string) => {
        const file = join(folder, `${name}.health`);
        const env = Object.fromEntries(Object.keys(check.environment).map((variable) => [variable, file]));
        const words = localize(wordsOf(name), { ...places, "/data": join(folder, name) });
        const role = new RoleProcess(name, words, { env });
        started.push(role);
        const addr = await role.address();
        await until(() => isHealthy(check.command, check.path, file), `${name} is healthy`);
        return addr;
      };
      const servers: { addr: string }[] = [];
      for (const name of ["server1", "server2", "server3"]) {
        servers.push({ addr: await start(name) });
      }
      await Deno.writeTextFile(join(folder, "servers.json"), JSON.stringify(servers));
      const trust = ["--ca", "/certs/ca.pem", "--password-file", "/run/secrets/inmem_password"];
      const client = localize(["client", "--addr", await start("proxy"), ...trust], places);
      await run([...client, "set", "greeting", "hello"]);
      assertEquals((await run([...client, "get", "greeting"])).trim(), "hello");
      using trusting = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(join(folder, "certs", "ca.pem"))] });
      for (const role of started) {
        const response = await fetch(`${role.page}metrics`, { client: trusting });
        await response.body?.cancel();
        assertEquals(response.status, 401, `${role.name} shows its metrics without a password`);
      }
    });
  },
);

Deno.test("Dockerfile: the default command and the health check run, with the password from the environment", async () => {
  const instructions = await readDockerfile();
  const wordsOf = (name: string) => {
    const value = instructions.findLast(({ instruction }) => instruction === name)?.value;
    assertExists(value, name);
    return JSON.parse(value.slice(value.indexOf("["))) as string[];
  };
  assertEquals(wordsOf("ENTRYPOINT"), ["inmem"]);
  const volumes = wordsOf("VOLUME");
  await inFolder(async (folder, started) => {
    const places: Record<string, string> = { "0.0.0.0:9443": "127.0.0.1:0" };
    for (const volume of volumes) places[volume] = join(folder, volume);
    const { command, path, environment } = await readHealthCheck();
    const health = join(folder, "health");
    const env = {
      INMEM_PASSWORD: PASSWORD,
      ...Object.fromEntries(Object.keys(environment).map((name) => [name, health])),
    };
    await run(localize(["certs", "/certs", "--host", "inmem.example"], places));
    const server = new RoleProcess("server", localize(wordsOf("CMD"), places), { env });
    started.push(server);
    const address = await server.address();
    await until(() => isHealthy(command, path, health), "the server is healthy");
    const client = localize(["client", "--addr", address, "--ca", "/certs/ca.pem"], places);
    assertEquals((await run([...client, "ping"], env)).trim(), "PONG");
    assert((await server.stop()).success);
    assert(!(await isHealthy(command, path, health)));
  });
});
