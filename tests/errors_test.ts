import { assertEquals } from "@std/assert";
import { fileReason } from "../src/errors.ts";

Deno.test("fileReason() says in words why the system refuses a path", async () => {
  const folder = await Deno.makeTempDir({ prefix: "inmem-reason-" });
  const reasonOf = (use: () => unknown): string => {
    try {
      use();
    } catch (error) {
      return fileReason(error);
    }
    return "nothing failed";
  };
  try {
    Deno.writeTextFileSync(`${folder}/file`, "");
    assertEquals(reasonOf(() => Deno.statSync(`${folder}/absent`)), "there is no such file");
    assertEquals(reasonOf(() => Deno.readFileSync(folder)), "Is a directory");
    assertEquals(reasonOf(() => Deno.statSync(`${folder}/file/below`)), "Not a directory");
    assertEquals(reasonOf(() => Deno.mkdirSync(`${folder}/file`)), "File exists");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assertEquals(fileReason(new Deno.errors.PermissionDenied("x")), "permission denied");
  // A message of ours stays.
  assertEquals(
    fileReason(new Error('"x" is not a file (os error 5) of ours')),
    '"x" is not a file (os error 5) of ours',
  );
});
