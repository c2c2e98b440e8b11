import { assertEquals } from "@std/assert";
import { ServersPasswords } from "../../../src/proxy/backend/backend.ts";

Deno.test("ServersPasswords begins with the first, and then at each server with the last accepted one", () => {
  const passwords = new ServersPasswords(["new", "old"]);
  assertEquals(passwords.of("a:1"), ["new", "old"]);
  passwords.accept("a:1", "old");
  assertEquals([passwords.of("a:1"), passwords.of("b:1")], [["old", "new"], ["new", "old"]]);
  passwords.accept("a:1", "new");
  assertEquals(passwords.of("a:1"), ["new", "old"]);
});

Deno.test("ServersPasswords accepts one password, or none", () => {
  assertEquals(new ServersPasswords("one").of("a:1"), ["one"]);
  assertEquals(new ServersPasswords().of("a:1"), []);
});
