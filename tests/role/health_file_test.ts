import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { StartError } from "../../src/errors.ts";
import { HealthFile } from "../../src/role/health_file.ts";

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Returns the age of a file in seconds; `undefined` when there is none. */
function ageOf(path: string): number | undefined {
  try {
    return (Date.now() - Deno.statSync(path).mtime!.getTime()) / 1000;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

Deno.test("HealthFile shows readiness by its time, from its creation to its removal", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "health");
    // This is what a role that was killed leaves.
    await Deno.writeTextFile(path, "");
    const file = HealthFile.create(path);
    assertEquals(Deno.statSync(path).mtime, new Date(0));
    await file.show(true);
    assert(ageOf(path)! < 10);
    await file.show(false);
    assertEquals(Deno.statSync(path).mtime, new Date(0));
    await Deno.remove(path);
    await file.show(false);
    assertEquals(ageOf(path), undefined);
    await file.show(true);
    assert(ageOf(path)! < 10);
    assertEquals(Deno.statSync(path).size, 0);
    void file.show(true);
    await file.remove();
    assertEquals(ageOf(path), undefined);
    await file.remove();
  });
});

Deno.test("HealthFile create() refuses what is not an empty file, and changes nothing", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "precious");
    await Deno.writeTextFile(path, "data");
    const { mtime } = await Deno.stat(path);
    const refused = assertThrows(() => HealthFile.create(path), StartError);
    assertEquals(
      refused.message,
      `Cannot use "${path}" as --health-file: it has 4 bytes, expected an empty file or none`,
    );
    assertEquals(await Deno.readTextFile(path), "data");
    assertEquals((await Deno.stat(path)).mtime, mtime);
    for (const bad of [folder, join(folder, "none", "health"), "/dev/null", ""]) {
      assertThrows(() => HealthFile.create(bad), StartError, `Cannot use "${bad}" as --health-file: `);
    }
  });
});

Deno.test("HealthFile show() never writes into a file that took its place", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "health");
    const file = HealthFile.create(path);
    await Deno.writeTextFile(path, "data");
    await file.show(true);
    assertEquals(await Deno.readTextFile(path), "data");
  });
});
