import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { SERVERS_FILE_MAX_BYTES } from "../../src/limits.ts";
import { parseMembers, readMembers, sameMembers } from "../../src/route/members.ts";
import { BAD_SERVER_ADDRESSES } from "../support/bad_addresses.ts";
import { listOf, Watching, withFolder } from "../support/members_watching.ts";
import { pause } from "../support/pause.ts";

Deno.test("parseMembers() reads addresses and weights in the order of the list", () => {
  assertEquals(
    parseMembers('[{"addr":"B.example:1","weight":500},{"addr":"10.0.0.1:09443"},{"weight":1,"addr":"[::1]:65535"}]'),
    [
      { address: "b.example:1", weight: 500 },
      { address: "10.0.0.1:9443", weight: 1 },
      { address: "[::1]:65535", weight: 1 },
    ],
  );
});

const FAULTS: readonly (readonly [text: string, message: string])[] = [
  ["", "expected JSON"],
  ['[{"addr":"a:1"}', "expected JSON"],
  ['{"addr":"a:1"}', "expected an array"],
  ["[]", "list of 0 servers"],
  ['["a:1"]', "server 1 of the list: expected an object"],
  ['[{"addr":"a:1"},null]', "server 2 of the list: expected an object"],
  ['[{"addr":"a:1"},[]]', "server 2 of the list: expected an object"],
  ["[{}]", 'expected "addr" to be "host:port"'],
  ['[{"addr":9443}]', 'expected "addr" to be "host:port"'],
  ['[{"addr":"a"}]', 'found "a"'],
  ['[{"addr":"a:1"},{"addr":"b:70000"}]', 'server 2 of the list: expected "addr"'],
  ['[{"addr":"a:0"}]', "a port from 1 to 65535"],
  ['[{"addr":":1"}]', "host:port"],
  ['[{"addr":"a b:1"}]', "host:port"],
  ['[{"addr":"::1:1"}]', "host:port"],
  ['[{"addr":"a:1"},{"addr":"b:1"},{"addr":"A:1"}]', 'server 3 of the list: "a:1" is already server 1'],
  ['[{"addr":"a:1","weight":0}]', '"weight" to be an integer from 1 to 1000000'],
  ['[{"addr":"a:1","weight":1000001}]', '"weight"'],
  ['[{"addr":"a:1","weight":1.5}]', '"weight"'],
  ['[{"addr":"a:1","weight":"5"}]', '"weight"'],
  ['[{"addr":"a:1","weight":null}]', '"weight"'],
  ['[{"addr":"a:1","wieght":5}]', 'found "wieght"'],
  ['[{"addr":"a:1"},{"addr":"A.:01"}]', 'server 2 of the list: "a.:1" is already server 1'],
  ['[{"addr":"[::1]:1"},{"addr":"[0:0:0:0:0:0:0:1]:1"}]', 'server 2 of the list: "[::1]:1" is already server 1'],
  ['[{"addr":"127.0.0.1:1"},{"addr":"[::ffff:127.0.0.1]:1"}]', '"127.0.0.1:1" is already server 1'],
  [
    '[{"addr":"a:1"},{"addr":"b:1","addr":"c:1"}]',
    'server 2 of the list: expected each field once, found "addr" twice',
  ],
  ['[{"addr":"a:1","weight":1, "w\\u0065ight" : 2}]', 'found "weight" twice'],
  [JSON.stringify(Array.from({ length: 1025 }, (_, i) => ({ addr: `a:${i + 1}` }))), "expected 1 to 1024"],
];

for (const [text, message] of FAULTS) {
  Deno.test(`parseMembers() refuses ${text.slice(0, 60)}`, () => {
    assertThrows(() => parseMembers(text), UsageError, message);
  });
}

Deno.test("parseMembers() refuses an address that cannot be connected to, at any position", () => {
  for (const addr of BAD_SERVER_ADDRESSES) {
    for (const list of [[{ addr }], [{ addr: "good.example:1" }, { addr }]]) {
      assertThrows(() => parseMembers(JSON.stringify(list)), UsageError, `server ${list.length} of the list: expected`);
    }
  }
});

Deno.test("parseMembers() does not take a field's name within a text for a field", () => {
  const odd = '[{"addr":"a:1"},{"weight":2,"addr":"b:1"}]';
  assertEquals(parseMembers(odd).length, 2);
  assertThrows(() => parseMembers('[{"addr":"{\\"addr\\":1,\\"addr\\":2}"}]'), UsageError, "host:port");
  assertThrows(() => parseMembers('[{"addr":{"addr":"a:1"}}]'), UsageError, "host:port");
});

Deno.test("sameMembers() compares addresses and weights, not the order", () => {
  const [a, b] = [{ address: "a:1", weight: 1 }, { address: "b:1", weight: 2 }];
  assert(sameMembers([a, b], [b, a]));
  assert(!sameMembers([a, b], [a]));
  assert(!sameMembers([a], [b]));
  assert(!sameMembers([a, b], [a, { ...b, weight: 3 }]));
});

Deno.test("readMembers() reports what is wrong with the file", () =>
  withFolder(async (folder) => {
    const path = `${folder}/servers.json`;
    assertThrows(() => readMembers(path), UsageError, "there is no such file");
    assertThrows(() => readMembers(folder), UsageError, "expected a file");
    await Deno.writeFile(path, Uint8Array.of(0xff, 0xfe));
    assertThrows(() => readMembers(path), UsageError, "expected UTF-8");
    await Deno.writeFile(path, new Uint8Array(SERVERS_FILE_MAX_BYTES + 1));
    assertThrows(() => readMembers(path), UsageError, "expected at most");
    await Deno.writeTextFile(path, listOf("a:1"));
    assertEquals(readMembers(path), [{ address: "a:1", weight: 1 }]);
  }));

const A = [{ address: "a:1", weight: 1 }];

/** Follows a file that contains "a:1" at first. */
function watching(run: (path: string, watching: Watching, folder: string) => Promise<void>): () => Promise<void> {
  return () =>
    withFolder(async (folder) => {
      const path = `${folder}/servers.json`;
      await Deno.writeTextFile(path, listOf("a:1"));
      await using following = new Watching(path, A);
      // The first reading has ended by now. Nothing reports that, and nothing needs to.
      await pause(50);
      await run(path, following, folder);
    });
}

Deno.test("watchMembers() notices a change of a link's target in another folder", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/real`);
    await Deno.mkdir(`${folder}/seen`);
    await Deno.writeTextFile(`${folder}/real/list`, listOf("a:1"));
    await Deno.symlink(`${folder}/real/list`, `${folder}/seen/servers.json`);
    await using following = new Watching(`${folder}/seen/servers.json`, A);
    await pause(50);
    await Deno.writeTextFile(`${folder}/real/list`, listOf("b:1"));
    await following.until("b:1*1");
  }));

Deno.test(
  "watchMembers() continues after the file is deleted and created again",
  watching(async (path, following) => {
    for (let round = 1; round <= 2; round++) {
      await Deno.remove(path);
      await following.untilSo(() => following.reports.length === 2 * round - 1, "the loss is reported", 1000);
      await Deno.writeTextFile(path, listOf(`b:${round}`));
      await following.until(`b:${round}*1`);
    }
    assert(following.reports[0]!.includes("there is no such file; the list known before stays in use"));
    assert(following.reports[1]!.includes("is valid again"));
  }),
);

Deno.test("watchMembers() continues after the folder is deleted and created again", () =>
  withFolder(async (parent) => {
    const folder = `${parent}/folder`;
    const path = `${folder}/servers.json`;
    await Deno.mkdir(folder);
    await Deno.writeTextFile(path, listOf("a:1"));
    await using following = new Watching(path, A);
    await pause(50);
    await Deno.remove(folder, { recursive: true });
    await following.untilSo(() => following.reports.length === 1, "the loss is reported", 1000);
    await Deno.mkdir(folder);
    await Deno.writeTextFile(path, listOf("b:1"));
    await following.until("b:1*1");
    await Deno.writeTextFile(path, listOf("c:1"));
    await following.until("c:1*1");
  }));

Deno.test(
  "watchMembers() follows a folder that was replaced by rename",
  watching(async (_path, following, folder) => {
    await Deno.mkdir(`${folder}.new`);
    await Deno.writeTextFile(`${folder}.new/servers.json`, listOf("b:1"));
    await Deno.rename(folder, `${folder}.old`);
    await Deno.rename(`${folder}.new`, folder);
    await Deno.remove(`${folder}.old`, { recursive: true });
    await following.until("b:1*1");
    await Deno.writeTextFile(`${folder}/servers.json`, listOf("c:1"));
    await following.until("c:1*1");
  }),
);

Deno.test(
  "watchMembers() keeps the list and reports each invalid content once",
  watching(async (path, following) => {
    await Deno.writeTextFile(path, "[");
    await following.untilSo(() => following.reports.length === 1, "the first is reported");
    await Deno.writeTextFile(path, "[");
    await pause(350);
    await Deno.writeTextFile(path, "[]");
    await following.untilSo(() => following.reports.length === 2, "the second is reported");
    assertEquals(following.lists, []);
    await Deno.writeTextFile(path, listOf("b:1"));
    await following.until("b:1*1");
    assertEquals(following.reports.length, 3);
  }),
);

Deno.test(
  "watchMembers() does not treat another order or spelling as a change",
  watching(async (path, following) => {
    await Deno.writeTextFile(path, '[ {"addr": "b:1", "weight": 1}, {"addr":"a:1"} ]');
    await following.until("b:1*1 a:1*1");
    await Deno.writeTextFile(path, listOf("A:01", "b:1"));
    await pause(300);
    assertEquals(following.lists.length, 1);
    await Deno.writeTextFile(path, '[{"addr":"b:1","weight":7},{"addr":"a:1"}]');
    await following.until("b:1*7 a:1*1");
  }),
);
