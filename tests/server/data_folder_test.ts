import { assertEquals, assertThrows } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import { chooseDataFolder } from "../../src/server/data_folder.ts";

Deno.test("chooseDataFolder() returns a folder in the state folder, and refuses to ignore former data", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const state = () => `${folder}/state/inmem`;
    const former = `${folder}/inmem-data`;
    assertEquals(chooseDataFolder("x", () => "unused", former), "x");
    assertEquals(chooseDataFolder(undefined, state, former), `${folder}/state/inmem/data`);
    await Deno.mkdir(former);
    assertEquals(chooseDataFolder("x", state, former), "x");
    assertThrows(
      () => chooseDataFolder(undefined, state, former),
      StartError,
      `an earlier version kept its data in "${former}", and the default is now "${folder}/state/inmem/data"; ` +
        `move the data there, or give --data ${former}`,
    );
    await Deno.mkdir(`${folder}/state/inmem`, { recursive: true });
    assertThrows(() => chooseDataFolder(undefined, state, former), StartError);
    // This is what the error advises.
    await Deno.rename(former, `${folder}/state/inmem/data`);
    assertEquals(chooseDataFolder(undefined, state, former), `${folder}/state/inmem/data`);
    // The user has decided before.
    await Deno.mkdir(former);
    assertEquals(chooseDataFolder(undefined, state, former), `${folder}/state/inmem/data`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
