/** Tests `inmem proxy plan` as its user sees it: its output, its refusals, and that it changes nothing. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ownersOf } from "../../src/route/slots.ts";
import { type Launcher, runInmem, serversJson, systemTest } from "../support/launcher.ts";

/** The addresses of the golden values of `tests/route/slots_test.ts`. */
const THREE = ["127.0.0.1:9501", "127.0.0.1:9502", "127.0.0.1:9503"];
const FOUR = [...THREE, "127.0.0.1:9504"];

async function write(launcher: Launcher, name: string, text: string): Promise<string> {
  const path = launcher.path(name);
  await Deno.writeTextFile(path, text);
  return path;
}

/** Runs the program, which must succeed, and returns its output. */
async function plan(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runInmem(["proxy", "plan", ...words]);
  assertEquals([code, stderr], [0, ""]);
  return stdout;
}

systemTest("proxy plan prints the shares of a list", async (launcher) => {
  const weights = [{ addr: "A.example:1", weight: 300 }, { addr: "b.example:1", weight: 100 }];
  const [three, weighted] = [
    await write(launcher, "three.json", serversJson(THREE)),
    await write(launcher, "weighted.json", JSON.stringify(weights)),
  ];
  assertEquals(await plan("--servers", three), SHARES_OF_THREE);
  const printed = await plan("--servers", weighted, "--json");
  assertEquals(printed.trimEnd().split("\n").length, 1);
  const { servers } = JSON.parse(printed);
  assertEquals(servers.map(({ address, weight, asked }: Record<string, unknown>) => [address, weight, asked]), [
    ["a.example:1", 300, 0.75],
    ["b.example:1", 100, 0.25],
  ]);
  assertEquals(servers[0].slots + servers[1].slots, 16_384);
  assertEquals(servers[0].share, servers[0].slots / 16_384);
});

const SHARES_OF_THREE = `\
server          weight  slots    share  by weight
127.0.0.1:9501       1   5395  32.93 %    33.33 %
127.0.0.1:9502       1   5608  34.23 %    33.33 %
127.0.0.1:9503       1   5381  32.84 %    33.33 %
`;

systemTest("proxy plan --from prints the servers of both lists, the moves and their sum", async (launcher) => {
  const three = await write(launcher, "three.json", serversJson(THREE));
  const four = await write(launcher, "four.json", serversJson(FOUR));
  const replaced = await write(launcher, "replaced.json", serversJson([...FOUR.slice(1)]));
  const reordered = await write(launcher, "reordered.json", serversJson([...FOUR].reverse()));
  assertEquals(await plan("--from", three, "--servers", four), ONE_JOINS);
  const leaving = await plan("--from", four, "--servers", three);
  assertMatch(leaving, /^127\.0\.0\.1:9504 {3}1 → – +4096 +0 +-4096 +25\.00 % +0\.00 %$/m);
  assertMatch(await plan("--from", three, "--servers", replaced), /: 1\.5\d times the minimum .*, which is \d+\.$/m);
  const nothing = await plan("--from", four, "--servers", reordered);
  assertMatch(nothing, /\n\nNo slot moves\.\nThe order of the servers in a list changes nothing\.\n$/);
});

const ONE_JOINS = `\
server          weight  slots before  slots after  change  share before  share after
127.0.0.1:9501   1 → 1          5395         4047   -1348       32.93 %      24.70 %
127.0.0.1:9502   1 → 1          5608         4215   -1393       34.23 %      25.73 %
127.0.0.1:9503   1 → 1          5381         4026   -1355       32.84 %      24.57 %
127.0.0.1:9504   – → 1             0         4096   +4096        0.00 %      25.00 %

source → target                  slots  of all
127.0.0.1:9501 → 127.0.0.1:9504   1348  8.23 %
127.0.0.1:9502 → 127.0.0.1:9504   1393  8.50 %
127.0.0.1:9503 → 127.0.0.1:9504   1355  8.27 %

4096 of 16384 slots move (25.00 %): the minimum that this change demands.
The order of the servers in a list changes nothing.
`;

/** Parses slots such as `0-5,17`. */
function parseRanges(text: string): number[] {
  return text.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);
  });
}

systemTest("proxy plan --json names every slot that moves, on one line", async (launcher) => {
  const three = await write(launcher, "three.json", serversJson(THREE));
  const four = await write(launcher, "four.json", serversJson(FOUR.slice(1)));
  const printed = await plan("--from", three, "--servers", four, "--json");
  assertEquals(printed.trimEnd().split("\n").length, 1);
  const { servers, moves, moved, share, minimum, ratio } = JSON.parse(printed);
  const addressesOf = (addresses: string[]) => {
    return Array.from(
      ownersOf(addresses.map((address) => ({ address, weight: 1 }))),
      (position) => addresses[position],
    );
  };
  const owners = addressesOf(THREE);
  for (const { source, target, slots, ranges } of moves) {
    const listed = parseRanges(ranges);
    assertEquals(listed.length, slots);
    for (const slot of listed) {
      assertEquals(owners[slot], source);
      owners[slot] = target;
    }
  }
  assertEquals(owners, addressesOf(FOUR.slice(1)), "the moves make the new list's owners of the old one's");
  assertEquals([moved / 16_384, moved / minimum], [share, ratio]);
  assertEquals([servers[0].after, servers[0].change], [null, -5395]);
  assertEquals([servers[3].before, servers[3].change], [null, servers[3].after.slots]);
  assertEquals(servers[1].before, { weight: 1, slots: 5608, share: 5608 / 16_384, asked: 1 / 3 });
  const same = JSON.parse(await plan("--from", three, "--servers", three, "--json"));
  assertEquals([same.moves, same.moved, same.minimum, same.ratio], [[], 0, 0, 1]);
});

systemTest("proxy plan refuses wrong options and lists in one line with status 2", async (launcher) => {
  const good = await write(launcher, "good.json", serversJson(THREE));
  const bad = await write(launcher, "bad.json", '[{"addr":"a:1"},{"addr":"b:1","weight":0}]');
  const broken = await write(launcher, "broken.json", '[\n{"addr":\n');
  const absent = launcher.path("absent.json");
  const wrong: readonly (readonly [words: string[], says: string[]])[] = [
    [["--servers", absent], [`Cannot read "${absent}": there is no such file`, "--servers"]],
    [["--servers", launcher.folder], [`Cannot read "${launcher.folder}": expected a file`]],
    [["--servers", bad], ["server 2 of the list", '"weight"', `--servers "${bad}"`]],
    [["--servers", good, "--from", bad], ["server 2 of the list", '"weight"', `--from "${bad}"`]],
    [["--servers", broken, "--from", good, "--json"], ["expected JSON", `--servers "${broken}"`]],
    [["--servers"], ["--servers without a value"]],
    [["--form", good], ["did you mean --from?"]],
    [["--addr", "127.0.0.1:0"], ["--addr"]],
    [["--json=maybe"], ['Cannot use --json "maybe"', "expected yes or no"]],
    [[good], [`"${good}": expected options only`]],
    [["--from", good, "--from", good], ["--from 2 times"]],
  ];
  for (const [words, says] of wrong) {
    const { code, stdout, stderr } = await runInmem(["proxy", "plan", ...words]);
    assertEquals([code, stdout, stderr.trimEnd().split("\n").length], [2, "", 1], `${words.join(" ")}\n${stderr}`);
    for (const each of says) assert(stderr.includes(each), `${stderr} does not say ${each}`);
  }
});

systemTest("proxy plan connects to nothing and changes no file", async (launcher) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let connections = 0;
  const accepted = (async () => {
    for await (const connection of listener) {
      connections++;
      connection.close();
    }
  })();
  const address = `127.0.0.1:${listener.addr.port}`;
  const folder = launcher.newFolder("lists");
  await Deno.mkdir(folder);
  const before = serversJson([address]);
  const after = serversJson([address, ...THREE]);
  await Deno.writeTextFile(`${folder}/old.json`, before);
  await Deno.writeTextFile(`${folder}/servers.json`, after);
  const words = ["--from", `${folder}/old.json`, "--servers", `${folder}/servers.json`];
  const env = { XDG_STATE_HOME: launcher.path("state") };
  const { code, stderr } = await runInmem(["proxy", "plan", ...words], { env });
  assertEquals([code, stderr], [0, ""]);
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  assertEquals(names, ["old.json", "servers.json"]);
  assertEquals(await Deno.readTextFile(`${folder}/old.json`), before);
  assertEquals(await Deno.readTextFile(`${folder}/servers.json`), after);
  assertEquals(await Deno.stat(launcher.path("state")).then(() => true, () => false), false, "no certificates");
  assertEquals(connections, 0);
  listener.close();
  await accepted;
});

Deno.test("proxy --help names the plan, and proxy plan --help its options", async () => {
  const [ofProxy, ofPlan] = await Promise.all([["--help"], ["plan", "--help"]].map((words) => {
    return runInmem(["proxy", ...words]);
  }));
  assert(ofProxy!.stdout.replaceAll("\n", " ").includes("inmem proxy plan"), ofProxy!.stdout);
  assertEquals([ofPlan!.code, ofPlan!.stderr], [0, ""]);
  for (const each of ["inmem proxy plan", "--servers", "--from", "--json"]) assert(ofPlan!.stdout.includes(each), each);
});
