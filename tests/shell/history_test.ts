import { assert, assertEquals, assertFalse } from "@std/assert";
import { join } from "@std/path";
import { HISTORY_MAX_COUNT } from "../../src/limits.ts";
import { History, isSecret } from "../../src/shell/history.ts";

async function withFolder(run: (folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-history-" });
  try {
    run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("History load() answers what append() kept, the newest first", async () => {
  await withFolder((folder) => {
    const path = join(folder, "deeper", "history");
    const history = new History(path);
    assertEquals(history.load(), []);
    history.append("set x 1");
    history.append("   ");
    history.append("get 日本");
    assertEquals(new History(path).load(), ["get 日本", "set x 1"]);
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    assertEquals((Deno.statSync(join(folder, "deeper")).mode ?? 0) & 0o777, 0o700);
  });
});

Deno.test("History append() makes a file private that others could read", async () => {
  await withFolder((folder) => {
    const path = join(folder, "history");
    Deno.writeTextFileSync(path, "get a\n", { mode: 0o644 });
    Deno.chmodSync(path, 0o644);
    new History(path).append("get b");
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("History append() keeps no password", async () => {
  await withFolder((folder) => {
    const path = join(folder, "history");
    const history = new History(path);
    for (const line of ["auth secret", "AUTH default secret", '"auth" secret', " set x 1"]) {
      assert(isSecret(line), line);
      history.append(line);
    }
    assertEquals(history.load(), []);
    for (const line of ["get auth", "author x", "authx"]) assertFalse(isSecret(line), line);
  });
});

Deno.test("History load() cuts a long file to its newest lines", async () => {
  await withFolder((folder) => {
    const path = join(folder, "history");
    const lines = Array.from({ length: HISTORY_MAX_COUNT * 2 + 5 }, (_, index) => `get ${index}`);
    Deno.writeTextFileSync(path, lines.join("\n") + "\n");
    const loaded = new History(path).load();
    assertEquals(loaded.length, HISTORY_MAX_COUNT);
    assertEquals(loaded[0], lines.at(-1));
    assertEquals(Deno.readTextFileSync(path).split("\n").length - 1, HISTORY_MAX_COUNT);
  });
});

Deno.test("History without a place, or at an impossible one, keeps nothing and does not fail", () => {
  for (const path of [undefined, "/dev/null/history"]) {
    const history = new History(path);
    history.append("get x");
    assertEquals(history.load(), []);
  }
});
