/** Tests `inmem import` and `inmem export` as people and scripts use them: messages, statuses, files and pipes. */

import { assertEquals, assertMatch } from "@std/assert";
import { decodeText } from "../../src/bytes.ts";
import { type Outcome, runInmem, type RunOptions, systemTest } from "../support/launcher.ts";
import { rdbFile, string } from "../support/rdb_writer.ts";

/** Verifies a status, and both outputs. */
function check(
  { code, stdout, stderr }: Outcome,
  status: number,
  output: string | RegExp,
  errors: string | RegExp,
): void {
  const what = `${code}\n${stdout}\n${stderr}`;
  assertEquals(code, status, what);
  for (const [got, expected] of [[stdout, output], [stderr, errors]] as const) {
    if (typeof expected === "string") assertEquals(got, expected, what);
    else assertMatch(got, expected, what);
  }
}

systemTest("inmem import and inmem export", {}, async (launcher, test) => {
  const server = await launcher.server();
  const env = { INMEM_ADDR: server.address, INMEM_CA: launcher.certificates.authority };
  const inmem = (words: string[], options: RunOptions = {}) => runInmem(words, { env, ...options });
  const write = async (name: string, content: string | Uint8Array) => {
    const path = launcher.path(name);
    await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
    return path;
  };
  const client = await launcher.connect(server);
  const lines = '{"key":"a","type":"string","value":"1"}\n{"key":"l","type":"list","value":["x","y"]}\n';
  const jsonl = await write("keys.jsonl", lines);

  await test.step("a file is imported, and what exists already ends the import", async () => {
    check(await inmem(["import", jsonl]), 0, /^2 keys imported \(in \d\.\d s, .* keys\/s\)\n$/, "");
    const exists = /^inmem import: Key "a" exists: --replace .* \(file ".*keys.jsonl", line 1\)\. 0 keys imported\.\n$/;
    check(await inmem(["import", jsonl]), 1, "", exists);
  });

  await test.step("an export is what was imported", async () => {
    const { code, stdout, stderr } = await inmem(["export"]);
    assertEquals([code, stdout.split("\n").toSorted().join("\n")], [0, "\n" + lines.trimEnd()]);
    assertMatch(stderr, /^2 keys exported \(in \d\.\d s, .* keys\/s\)\n$/);
    const path = launcher.path("out.csv");
    check(await inmem(["export", "--out", path, "--match", "a"]), 0, "", /^1 key exported/);
    assertEquals(await Deno.readTextFile(path), "key,type,expires_at,field,value\na,string,,,1\n");
    check(await inmem(["export", "--out", path]), 2, "", `inmem export: Cannot write "${path}": it exists\n`);
  });

  await test.step("a damaged file changes nothing", async () => {
    const file = rdbFile("REDIS0011", [0, ...string("new"), ...string("v"), 0, ...string("k2"), ...string("v2")]);
    const half = await write("half.rdb", file.subarray(0, file.length - 12));
    const nothing =
      /^inmem import: The input ends too early: .* \(file ".*half.rdb", offset \d+\)\. Nothing was imported\.\n$/;
    check(await inmem(["import", half]), 2, "", nothing);
    const csv = await write("broken.csv", 'key,value\nnew,1\nnew2,"2\n');
    const quote = /line 3\)\. Nothing was imported\.\n$/;
    check(await inmem(["import", csv]), 2, "", quote);
    assertEquals(await client.size(), 2);
  });

  await test.step("what comes through a pipe is imported up to the fault", async () => {
    const stdin = '{"key":"p1","value":"1"}\n{"key":"p2","value":"2"}\n{"key":\n';
    const report = /line 3\)\. 2 keys imported\. The last imported key is "p2"\.\n$/;
    check(await inmem(["import", "-"], { stdin }), 2, "", report);
    assertEquals(decodeText((await client.get("p2"))!), "2");
  });

  await test.step("databases and foreign types need a choice", async () => {
    const both = rdbFile(
      "REDIS0011",
      [254, 1, 0, ...string("db1"), ...string("v"), 254, 2, 0, ...string("db2"), ...string("v")],
      [5, ...string("z"), 0],
    );
    const path = await write("both.rdb", both);
    const foreign =
      /^inmem import: Cannot import what inmem does not have \(a sorted set\): .* key "z" is a sorted set/;
    check(await inmem(["import", path]), 2, "", foreign);
    const databases = /--db NUMBER or --db all .*\(1 in database 1, 1 in database 2\)/;
    check(await inmem(["import", path, "--skip-unsupported"]), 2, "", databases);
    check(await inmem(["import", path, "--db", "1"]), 0, /^1 key imported; left out: 1 of other databases \(/, "");
    assertEquals([await client.exists("db1"), await client.exists("db2")], [1, 0]);
  });

  await test.step("a database that the file does not have is refused, with those that it has", async () => {
    const path = launcher.path("both.rdb");
    const sizeBefore = await client.size();
    const absent =
      /^inmem import: Cannot use --db 7: the file has no such database; there are 1 in database 1, 1 in database 2 \(.*both\.rdb\)\. Nothing was imported\.\n$/;
    for (const more of [[], ["--dry-run"], ["--skip-unsupported"]]) {
      check(await inmem(["import", path, "--db", "7", ...more]), 2, "", absent);
    }
    check(await inmem(["import", jsonl, "--db", "1"]), 2, "", /there are 2 in database 0 .* Nothing was imported\.\n$/);
    assertEquals(await client.size(), sizeBefore);
    const piped =
      /^inmem import: Cannot use --db 7: .* 2 in database 0 \(standard input\)\. 0 keys imported; left out: 2 of other databases\.\n$/;
    check(await inmem(["import", "-", "--db", "7"], { stdin: lines }), 2, "", piped);
    const sets = await write("sets.rdb", rdbFile("REDIS0011", [254, 3, 5, ...string("z"), 0]));
    check(await inmem(["import", sets, "--db", "3", "--skip-unsupported"]), 0, /^0 keys imported; left out: a sor/, "");
    const none = await write("none.rdb", rdbFile("REDIS0011"));
    check(await inmem(["import", none, "--db", "0"]), 0, /^0 keys imported \(/, "");
    check(await inmem(["import", none, "--db", "7"]), 2, "", /no such database; there are no keys \(/);
  });

  await test.step("a dry run needs no server, and without one an import fails", async () => {
    const nowhere = { ...env, INMEM_ADDR: "127.0.0.1:1" };
    check(await inmem(["import", jsonl, "--dry-run"], { env: nowhere }), 0, "The file is valid: 2 keys\n", "");
    check(await inmem(["import", jsonl], { env: nowhere }), 3, "", /^inmem import: Cannot connect to 127\.0\.0\.1:1: /);
  });

  await test.step("wrong usage is explained", async () => {
    check(await inmem(["import"]), 2, "", /^inmem import: Cannot import nothing: expected a file/);
    check(await inmem(["import", launcher.folder]), 2, "", /^inmem import: Cannot open ".*": it is a folder\n$/);
    check(await inmem(["import", jsonl, "--replace", "--skip-existing"]), 2, "", /together/);
  });
});
