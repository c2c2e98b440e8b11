import { assert, assertEquals, assertFalse, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { encodeText } from "../../src/bytes.ts";
import {
  HISTORY_FILE_MAX_BYTES,
  HISTORY_LINE_MAX_BYTES,
  HISTORY_MAX_CHARACTERS,
  HISTORY_MAX_COUNT,
} from "../../src/limits.ts";
import { History } from "../../src/shell/history.ts";

async function withFolder(run: (folder: string, path: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-history-" });
  try {
    run(folder, join(folder, "history"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function loaded(path: string): readonly string[] {
  return new History(path).load();
}

function modeOf(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o777;
}

Deno.test("History load() returns what append() kept, the newest first", async () => {
  await withFolder((folder) => {
    const path = join(folder, "deeper", "history");
    const history = new History(path);
    assertEquals(history.load(), []);
    for (const line of ["set x 1", "   ", "get 日本", "echo a\u2028b", "get \udce9"]) history.append(line);
    const lines = ["get \udce9", "echo a\u2028b", "get 日本", "set x 1"];
    assertEquals(history.lines, lines);
    assertEquals(loaded(path), lines);
    assertEquals(modeOf(path), 0o600);
    assertEquals(modeOf(join(folder, "deeper")), 0o700);
    assertEquals(Deno.readFileSync(path).at(-2), 0xe9);
  });
});

Deno.test("History keeps a repeated line at its newest position only", async () => {
  await withFolder((_folder, path) => {
    const history = new History(path);
    for (const line of ["get a", "get b", "get a"]) history.append(line);
    assertEquals(history.lines, ["get a", "get b"]);
    assertEquals(loaded(path), ["get a", "get b"]);
  });
});

Deno.test("History makes a file private that others could read", async () => {
  await withFolder((_folder, path) => {
    for (const use of [(history: History) => history.append("get b"), (history: History) => history.load()]) {
      Deno.writeTextFileSync(path, "get a\n");
      Deno.chmodSync(path, 0o644);
      use(new History(path));
      assertEquals(modeOf(path), 0o600);
    }
  });
});

Deno.test("History neither reads nor changes a path that is not a regular file", async () => {
  await withFolder((folder, path) => {
    const target = join(folder, "target");
    Deno.writeTextFileSync(target, "get a\n");
    Deno.chmodSync(target, 0o644);
    for (const pointsTo of [target, "/dev/null", join(folder, "nothing"), folder]) {
      Deno.symlinkSync(pointsTo, path);
      const history = new History(path);
      assertEquals(history.load(), []);
      history.append("get b");
      assertMatch(history.problem ?? "", /^Cannot keep the history in ".*history": it is a symbolic link; expected /);
      assertEquals(history.lines, ["get b"]);
      Deno.removeSync(path);
    }
    assertEquals([Deno.readTextFileSync(target), modeOf(target)], ["get a\n", 0o644]);
    Deno.mkdirSync(path);
    const history = new History(path);
    assertEquals(history.load(), []);
    assertStringIncludes(history.problem ?? "", "it is not a regular file");
  });
});

Deno.test("History stores no secret, in memory or in the file", async () => {
  await withFolder((_folder, path) => {
    const history = new History(path);
    for (const line of ["auth s3cret", '"\\x61uth" s3cret', "hello 3 auth default s3cret", " set x s3cret"]) {
      history.append(line);
    }
    assertEquals(history.lines, []);
    assertFalse(Deno.readDirSync(join(path, "..")).some(({ name }) => name === "history"));
    history.append("get a");
    assertEquals(Deno.readTextFileSync(path), "get a\n");
  });
});

Deno.test("History stores no single word after auth alone", () => {
  const history = new History(undefined);
  for (const line of ["auth", "hunter2", "hunter3", " AUTH ", "ping", "auth", "get a", "auth", "HELP"]) {
    history.append(line);
  }
  assertEquals(history.lines, ["HELP", "get a", "ping", "hunter3"]);
});

Deno.test("History load() removes secrets that another version has written to the file", async () => {
  await withFolder((_folder, path) => {
    Deno.writeTextFileSync(path, "get a\nhello 3 auth default s3cret\nget b\n");
    assertEquals(loaded(path), ["get b", "get a"]);
    assertEquals(Deno.readTextFileSync(path), "get a\nget b\n");
  });
});

Deno.test("History load() cuts a long file to its newest lines", async () => {
  await withFolder((_folder, path) => {
    const lines = Array.from({ length: HISTORY_MAX_COUNT * 2 + 5 }, (_, index) => `get ${index}`);
    Deno.writeTextFileSync(path, lines.join("\n") + "\n");
    assertEquals(loaded(path), lines.slice(-HISTORY_MAX_COUNT).reverse());
    assertEquals(Deno.readTextFileSync(path), lines.slice(-HISTORY_MAX_COUNT).join("\n") + "\n");
  });
});

Deno.test("History stays within bounds with any file", async () => {
  await withFolder((_folder, path) => {
    const noise = new Uint8Array(HISTORY_FILE_MAX_BYTES + 1_000).map((_, index) => index % 251);
    const contents: [Uint8Array, readonly string[]][] = [
      [new Uint8Array(HISTORY_FILE_MAX_BYTES * 2), []],
      [encodeText("y".repeat(HISTORY_FILE_MAX_BYTES * 2) + "\nget a\n"), ["get a"]],
      [encodeText("y".repeat(HISTORY_LINE_MAX_BYTES + 1) + "\nget a"), ["get a"]],
      [encodeText("\n\n\r\nget a\n\0\n"), ["\0", "get a"]],
    ];
    for (const [content, lines] of contents) {
      Deno.writeFileSync(path, content);
      assertEquals(loaded(path), lines);
      assertLess(Deno.statSync(path).size, HISTORY_FILE_MAX_BYTES + 1);
    }
    Deno.writeFileSync(path, noise);
    assert(loaded(path).length <= HISTORY_MAX_COUNT);
    assertLess(Deno.statSync(path).size, HISTORY_FILE_MAX_BYTES);
  });
});

Deno.test("History bounds its lines in memory", () => {
  const history = new History(undefined);
  for (let i = 0; i < HISTORY_MAX_COUNT + 10; i++) history.append(`get ${i}`);
  assertEquals(history.lines.length, HISTORY_MAX_COUNT);
  const long = "y".repeat(HISTORY_MAX_CHARACTERS / 2);
  for (let i = 0; i < 3; i++) history.append(long + i);
  assertEquals(history.lines.length, 1);
  history.append("y".repeat(HISTORY_MAX_CHARACTERS + 1));
  assertEquals(history.lines, []);
});

Deno.test("History of several shells loses no line, even while one of them cuts the file", async () => {
  await withFolder((_folder, path) => {
    const old = Array.from({ length: HISTORY_MAX_COUNT * 2 }, (_, index) => `get old${index}`);
    Deno.writeTextFileSync(path, old.join("\n") + "\n");
    const shells = [new History(path), new History(path), new History(path)];
    shells[0]!.load();
    for (let i = 0; i < 30; i++) shells[i % 3]!.append(`get ${i}`);
    shells[1]!.load();
    shells[2]!.append("get last");
    const lines = Array.from({ length: 30 }, (_, index) => `get ${29 - index}`);
    assertEquals(loaded(path).slice(0, 31), ["get last", ...lines]);
  });
});

Deno.test("History waits for the lock of a shell that cuts the file, for a limited time", async () => {
  await withFolder((_folder, path) => {
    const history = new History(path);
    history.append("get a");
    using other = Deno.openSync(path, { read: true, write: true });
    assert(other.tryLockSync(true));
    history.append("get b");
    assertEquals(Deno.readTextFileSync(path), "get a\nget b\n");
  });
});

Deno.test("History without a path, or with an impossible one, keeps lines in memory and does not fail", () => {
  for (const path of [undefined, "/dev/null/history"]) {
    const history = new History(path);
    history.append("get x");
    assertEquals(history.lines, ["get x"]);
    assertEquals(history.problem === undefined, path === undefined);
  }
});
