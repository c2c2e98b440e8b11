import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { UsageError } from "../../src/errors.ts";
import { clientOptions } from "../../src/role/option_tables.ts";
import { contextText } from "../../src/shell/context_command.ts";
import { Contexts } from "../../src/target/contexts.ts";
import { parseTargetOptions } from "../../src/target/target_values.ts";

async function withFolder(run: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Returns the host, the CA and the time limit that the arguments, variables and contexts lead to. */
async function targetOf(folder: string, argv: string[], variables: Record<string, string> = {}) {
  const { values } = await parseTargetOptions(clientOptions, argv, { folder, environment: (name) => variables[name] });
  return [values.addr.hostname, values.ca, values.insecure, values.timeout];
}

Deno.test("inmem client context adds, lists, replaces and removes contexts", () =>
  withFolder((folder) => {
    assertMatch(contextText([], folder, "human"), /There are no contexts/);
    const added = contextText(
      ["add", "prod", "rediss://cache.example", "--ca", "ca.pem", "--insecure"],
      folder,
      "human",
    );
    assertEquals(added, 'Added context "prod" for rediss://cache.example.\n');
    assertMatch(contextText(["add", "b.2", "--addr", "h:1", "--timeout=5s"], folder, "human"), /^Added/);
    assertMatch(contextText(["add", "b.2", "-u", "h:2", "--insecure=no"], folder, "human"), /^Replaced/);
    assertEquals(JSON.parse(Deno.readTextFileSync(join(folder, "contexts/prod.json"))), {
      addr: "rediss://cache.example",
      ca: join(Deno.cwd(), "ca.pem"),
      insecure: true,
    });
    assertEquals(Deno.statSync(join(folder, "contexts/prod.json")).mode! & 0o777, 0o600);
    const { contexts } = JSON.parse(contextText(["list"], folder, "json"));
    assertEquals(contexts.map(({ name, addr }: { name: string; addr: string }) => [name, addr]), [
      ["b.2", "h:2"],
      ["prod", "rediss://cache.example"],
    ]);
    assertMatch(contextText(["list"], folder, "human"), /prod +rediss:\/\/cache\.example/);
    assertEquals(contextText(["remove", "prod"], folder, "human"), 'Removed context "prod".\n');
    assertEquals(new Contexts(folder).names(), ["b.2"]);
    assertEquals([...Deno.readDirSync(join(folder, "contexts"))].map(({ name }) => name), ["b.2.json"]);
  }));

Deno.test("inmem client context refuses wrong words, names and servers, and passwords", () =>
  withFolder((folder) => {
    const cases: [args: string[], message: RegExp][] = [
      [["use"], /expected context list/],
      [["add"], /expected context list/],
      [["remove"], /expected context list/],
      [["list", "x"], /expected context list/],
      [["add", "a"], /expected one server/],
      [["add", "a", "h", "i"], /expected one server/],
      [["add", "a", "h", "--addr", "i"], /expected one server/],
      [["add", "a", "ftp://h"], /expected inmems/],
      [["add", "a", "h", "--caa", "x"], /did you mean --ca/],
      [["add", "a", "h", "--json"], /unknown option/],
      [["add", "a", "h", "--context", "b"], /unknown option/],
      [["add", "../a", "h"], /expected letters/],
      [["add", ".a", "h"], /expected letters/],
      [["add", "a/b", "h"], /expected letters/],
      [["add", "a".repeat(65), "h"], /expected letters/],
      [["add", "a", "rediss://:secret@h"], /has no password/],
      [["remove", "a"], /there is none yet/],
    ];
    for (const [args, message] of cases) {
      const error = assertThrows(() => contextText(args, folder, "human"), UsageError);
      assertMatch(error.message, message);
      assert(!error.message.includes("secret"));
    }
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("parseTargetOptions() uses a context as a whole, or not at all", () =>
  withFolder(async (folder) => {
    const contexts = new Contexts(folder);
    assertEquals(await targetOf(folder, []), ["127.0.0.1", undefined, false, 10_000]);
    contexts.store("prod", { addr: "prod.example", ca: "/prod.pem" });
    contexts.store("lab", { addr: "lab.example", insecure: true, timeout: "5s" });
    const demo = { INMEM_ADDR: "demo", INMEM_CA: "/demo.pem" };
    assertEquals(await targetOf(folder, ["--context", "prod"]), ["prod.example", "/prod.pem", false, 10_000]);
    // Nothing of another target comes with a context that was typed.
    assertEquals(await targetOf(folder, ["--context", "lab"], demo), ["lab.example", undefined, true, 5_000]);
    assertEquals(await targetOf(folder, ["--context=lab", "--timeout", "1s"], demo), [
      "lab.example",
      undefined,
      true,
      1_000,
    ]);
    // An address turns off a context that was not typed.
    assertEquals(await targetOf(folder, [], { ...demo, INMEM_CONTEXT: "lab" }), ["demo", "/demo.pem", false, 10_000]);
    assertEquals(await targetOf(folder, ["--addr", "h"], { INMEM_CONTEXT: "lab" }), ["h", undefined, false, 10_000]);
    assertEquals(await targetOf(folder, [], { INMEM_CONTEXT: "lab" }), ["lab.example", undefined, true, 5_000]);
    assertEquals(await targetOf(folder, [], { INMEM_CONTEXT: "lab", INMEM_TIMEOUT: "2s" }), [
      "lab.example",
      undefined,
      true,
      2_000,
    ]);
    contexts.store("default", { addr: "usual.example" });
    assertEquals(await targetOf(folder, []), ["usual.example", undefined, false, 10_000]);
    assertEquals(await targetOf(folder, [], demo), ["demo", "/demo.pem", false, 10_000]);
    await assertRejects(
      () => targetOf(folder, ["--context", "lab", "--addr", "h"]),
      UsageError,
      "expected one of them",
    );
    await assertRejects(() => targetOf(folder, ["--context", "prd"]), UsageError, 'did you mean "prod"? there are');
    await assertRejects(() => targetOf(folder, ["--context", "../x"]), UsageError, "there are default, lab, prod");
  }));

Deno.test("a file of a context that is not valid is refused with its place, and only when it is needed", () =>
  withFolder(async (folder) => {
    Deno.mkdirSync(join(folder, "contexts"));
    const path = join(folder, "contexts/default.json");
    const cases: [content: string | Uint8Array, message: RegExp][] = [
      ["", /line 1, column 1/],
      ['{"addr": "h"', /line 1, column 13/],
      ['{"addr": "h",\n "adr": "i"}', /line 2, column 2: there is no option "adr": did you mean "addr"/],
      ['{"addr": "h", "context": "x"}', /"context"/],
      ['{"addr": 5}', /expected "addr" to be/],
      ['{"addr": "h:0"}', /expected 1 to 65535/],
      ['{"addr": "rediss://:secret@h"}', /has a password/],
      [new Uint8Array([0xff, 0xfe]), /expected UTF-8/],
      [" ".repeat(1024 * 1024), /1048576 bytes/],
      ["[]", /line 1, column 1/],
    ];
    for (const [content, message] of cases) {
      if (typeof content === "string") Deno.writeTextFileSync(path, content);
      else Deno.writeFileSync(path, content);
      const error = await assertRejects(() => targetOf(folder, []), UsageError);
      assertMatch(error.message, message);
      assert(error.message.includes("default.json") && !error.message.includes("secret"), error.message);
      assertEquals((await targetOf(folder, ["--addr", "h"]))[0], "h");
      // The list shows what is wrong instead of ending there.
      assertMatch(contextText(["list"], folder, "json"), /"problem":/);
    }
    Deno.removeSync(path);
    Deno.mkdirSync(path);
    await assertRejects(() => targetOf(folder, []), UsageError, "it is not a file");
    Deno.removeSync(join(folder, "contexts"), { recursive: true });
    Deno.writeTextFileSync(join(folder, "contexts"), "a file");
    assertThrows(() => contextText(["list"], folder, "human"), UsageError, "Cannot read the contexts");
    assertThrows(() => contextText(["add", "a", "h"], folder, "human"), UsageError, 'Cannot store context "a"');
  }));

Deno.test("parseTargetOptions() understands -h and -p as redis-cli does, and -h alone as help", () =>
  withFolder(async (folder) => {
    const cases: [argv: string[], host: string, port: number][] = [
      [["-h", "h.example", "-p", "7"], "h.example", 7],
      [["-h", "h.example"], "h.example", 9443],
      [["-p", "7", "get", "a"], "127.0.0.1", 7],
      [["-h", "::1", "-p", "7"], "::1", 7],
      [["-h", "[::1]"], "::1", 9443],
      [["--host=h", "--port=1"], "h", 1],
    ];
    for (const [argv, host, port] of cases) {
      const { values } = await parseTargetOptions(clientOptions, argv, { folder, environment: () => undefined });
      assertEquals([values.addr.hostname, values.addr.port, values.help], [host, port, false]);
      // Typed words are stronger than the environment, whose names Kubernetes may set for a service.
      const variables: Record<string, string> = {
        INMEM_ADDR: "e:1",
        INMEM_PORT: "tcp://10.0.0.1:9443",
        INMEM_HOST: "x",
      };
      const environment = (name: string) => variables[name];
      assertEquals((await parseTargetOptions(clientOptions, argv, { folder, environment })).values.addr.hostname, host);
    }
    for (const argv of [["-h"], ["-h", "--json"], ["--json", "-h"]]) {
      assert((await parseTargetOptions(clientOptions, argv, { folder })).values.help);
    }
    for (
      const argv of [["-p", "0"], ["-p", "99999"], ["-p", "x"], ["-h", "a b"], ["-h", "12"], ["-h", "h:1", "-p", "2"]]
    ) {
      await assertRejects(() => parseTargetOptions(clientOptions, argv, { folder }), UsageError);
    }
    for (const other of [["--addr", "h"], ["--context", "c"]]) {
      const argv = ["-p", "7", ...other];
      await assertRejects(() => parseTargetOptions(clientOptions, argv, { folder }), UsageError, "expected one way");
    }
  }));
