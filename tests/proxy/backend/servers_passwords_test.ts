import { assertEquals } from "@std/assert";
import { ServersPasswords } from "../../../src/proxy/backend/backend.ts";

Deno.test("ServersPasswords tries the first one first, and at each server what that has accepted last", () => {
  const passwords = new ServersPasswords(["new", "old"]);
  assertEquals(passwords.of("a:1"), ["new", "old"]);
  passwords.accept("a:1", "old");
  assertEquals([passwords.of("a:1"), passwords.of("b:1")], [["old", "new"], ["new", "old"]]);
  passwords.accept("a:1", "new");
  assertEquals(passwords.of("a:1"), ["new", "old"]);
});

Deno.test("ServersPasswords may be one, or none", () => {
  assertEquals(new ServersPasswords("one").of("a:1"), ["one"]);
  assertEquals(new ServersPasswords().of("a:1"), []);
});
