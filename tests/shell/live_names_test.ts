import { assert, assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import type { Argument, Value } from "../../src/client/client.ts";
import { COMPLETION_NAMES_MAX_COUNT } from "../../src/limits.ts";
import { connect } from "../../src/client/client.ts";
import { complete, type Completion } from "../../src/shell/completion.ts";
import { completeNames } from "../../src/shell/live_names.ts";
import { tokenize } from "../../src/shell/tokenizer.ts";
import { encodeTyped } from "../../src/terminal/typed_text.ts";
import { clustered } from "../support/proxy_rig.ts";

/** Returns the completion of a line by a server with these keys, and the requests that it got. */
async function completedWith(
  line: string,
  keys: readonly Uint8Array[],
  pageSize = keys.length,
): Promise<{ found: Completion; requests: Argument[][] }> {
  const requests: Argument[][] = [];
  const found = await completeNames(complete(line), (request) => {
    requests.push([...request]);
    const from = Number(request[1] instanceof Uint8Array ? new TextDecoder().decode(request[1]) : request[1]);
    const end = from + pageSize;
    const next = encodeText(end < keys.length ? `${end}` : "0");
    return Promise.resolve<Value>([next, keys.slice(from, end) as Uint8Array<ArrayBuffer>[]]);
  });
  return { found, requests };
}

const KEYS = ["user:1", "user:2"].map(encodeText);

Deno.test("completeNames() offers the keys that begin with what is typed", async () => {
  const { found, requests } = await completedWith("get us", KEYS);
  assertEquals(found, { words: ["user:1 ", "user:2 "], last: "us", common: "user:" });
  assertEquals(requests, [["scan", "0", "MATCH", encodeText("us*"), "COUNT", 1_000]]);
  assertEquals((await completedWith("get user:1", KEYS.slice(0, 1))).found, { words: ["user:1 "], last: "user:1" });
  // Keys of another type are of no use to a command on hashes.
  assertEquals((await completedWith("hget us", KEYS)).requests[0]!.slice(-2), ["TYPE", "hash"]);
  // What a pattern would obey means itself.
  assertEquals((await completedWith("get a*[?", [])).requests[0]![3], encodeText("a\\*\\[\\?*"));
});

Deno.test("completeNames() offers any bytes as printable text that means those bytes", async () => {
  const names = [
    ...["a b", 'a"b', "a\\b", "a\x1b[2Jb", "a\nb", "a\u202eb", "aé日本😀", "a\0", "a'b", "a\u2028", "a\x9b", "#", '"']
      .map(encodeText),
    Uint8Array.of(0x61, 0xff, 0xfe),
    Uint8Array.of(0x61, 0xc3),
    Uint8Array.of(0x1b, 0x5d, 0x30, 0x3b),
  ];
  for (const name of names) {
    for (const typed of ["", '"']) {
      const { found } = await completedWith(`get ${typed}`, [name]);
      const [word] = found.words;
      // deno-lint-ignore no-control-regex
      assert(/^[^\x00-\x1f\x7f-\x9f\u2028\u202e\udc80-\udcff]+$/u.test(word!), JSON.stringify(word));
      assertEquals(tokenize(encodeTyped(word!)), [name]);
    }
    // The common beginning of two names is one of their bytes, even where it ends within a character.
    const other = Uint8Array.of(...name.slice(0, -1), name.at(-1)! ^ 1);
    const { found } = await completedWith("get ", [name, other]);
    const common = found.common!;
    const isOpen = common.startsWith('"');
    const bytes = common === "" ? new Uint8Array() : tokenize(encodeTyped(common + (isOpen ? '"' : "")))[0]!;
    assertEquals(name.subarray(0, bytes.length), bytes);
    assert(bytes.length >= name.length - 4);
  }
});

Deno.test("completeNames() is bounded, and says so", async () => {
  const keys = Array.from({ length: 1_000 }, (_, i) => encodeText(`key:${i}`));
  const { found, requests } = await completedWith("get k", keys, 10);
  assertEquals(found.words.length, COMPLETION_NAMES_MAX_COUNT);
  assert(requests.length <= COMPLETION_NAMES_MAX_COUNT / 10, `${requests.length}`);
  assert(found.note !== undefined);
  // The only name that was found may not be the only one.
  const slow = await completeNames(complete("get k"), async () => {
    await new Promise((resolve) => setTimeout(resolve, 60));
    return [encodeText("5"), [encodeText("key:1")]];
  });
  assertEquals(slow.common, "key:1");
  assert(slow.note !== undefined);
});

Deno.test("completeNames() has no names when the server refuses, fails, or replies with something else", async () => {
  const replies: (() => Promise<Value>)[] = [
    () => Promise.reject(new Error("no")),
    () => Promise.resolve(null),
    () => Promise.resolve([]),
    () => Promise.resolve([encodeText("0"), encodeText("x")]),
    () => Promise.resolve("OK"),
  ];
  for (const reply of replies) {
    for (const line of ["get k", "publish c", "config get m"]) {
      const { words } = await completeNames(complete(line), reply);
      // A list may be the channels.
      if (line !== "publish c") assertEquals(words, [], line);
    }
    assertEquals((await completeNames(complete("get "), reply)).hint, "get key");
  }
  // A line that is not clear asks nothing.
  assertEquals((await completedWith('get "a"b', KEYS)).requests, []);
});

Deno.test("completeNames() offers channels and settings", async () => {
  const channels = await completeNames(complete("publish ne"), (request) => {
    assertEquals(request, ["pubsub", "channels", encodeText("ne*")]);
    return Promise.resolve([encodeText("news"), encodeText("new")]);
  });
  assertEquals(channels.words, ["new ", "news "]);
  const settings = await completeNames(complete("config set maxm"), (request) => {
    assertEquals(request, ["config", "get", encodeText("maxm*")]);
    return Promise.resolve(new Map([[encodeText("maxmemory"), encodeText("0")]]));
  });
  assertEquals(settings.words, ["maxmemory "]);
});

Deno.test(
  "completeNames() finds keys of any bytes on a server and through the proxy",
  clustered(2, async (rig, servers) => {
    const names = ["*", "?x", "[a-z]", "[", "]", "\\\\", "^", "plain", "a b", "日本", '"', "'"].map(encodeText);
    names.push(Uint8Array.of(0), Uint8Array.of(0xff, 0x2a), Uint8Array.of(0x1b, 0x5b, 0x6d), Uint8Array.of(0x5c, 0x3f));
    const addresses = [servers[0]!.address.port, rig.proxy.address.port].map((port) => `127.0.0.1:${port}`);
    for (const addr of addresses) {
      await using client = await connect({ addr, plaintext: true });
      await client.send(["flushall"]);
      for (const name of names) await client.send(["set", name, "1"]);
      for (const name of names) {
        // The first byte in quotes, as it can be typed, finds exactly the names that begin with it.
        const typed = `"\\x${name[0]!.toString(16).padStart(2, "0")}`;
        const { words } = await completeNames(complete(`get ${typed}`), (request) => client.send(request));
        const found = words.map((word) => tokenize(encodeTyped(word))[0]!);
        const expected = names.filter((other) => other[0] === name[0]);
        assertEquals(found.map((each) => each.toHex()).sort(), expected.map((each) => each.toHex()).sort(), typed);
      }
    }
  }),
);
