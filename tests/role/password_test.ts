import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import { Password, PASSWORD_VARIABLE, readPassword } from "../../src/role/password.ts";

/** Runs a test with a password file of this content. */
function withFile(content: string | Uint8Array, run: (path: string) => void): void {
  const path = Deno.makeTempFileSync({ prefix: "inmem-password-" });
  try {
    Deno.writeFileSync(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
    run(path);
  } finally {
    Deno.removeSync(path);
  }
}

/** Runs a test with the variable set; tests of one file run one after another. */
function withVariable(value: string, run: () => void): void {
  const before = Deno.env.get(PASSWORD_VARIABLE);
  Deno.env.set(PASSWORD_VARIABLE, value);
  try {
    run();
  } finally {
    if (before === undefined) Deno.env.delete(PASSWORD_VARIABLE);
    else Deno.env.set(PASSWORD_VARIABLE, before);
  }
}

Deno.test("readPassword() takes the file without one newline at its end, and the file before the environment", () => {
  withVariable("of the environment", () => {
    withFile("secret\n", (path) => assertEquals(readPassword(path), "secret"));
    withFile("secret\r\n", (path) => assertEquals(readPassword(path), "secret"));
    withFile(" two words \n\n", (path) => assertEquals(readPassword(path), " two words \n"));
    withFile("Grüße 🦕", (path) => assertEquals(readPassword(path), "Grüße 🦕"));
    assertEquals(readPassword(undefined), "of the environment");
  });
});

Deno.test("readPassword() refuses an empty password", () => {
  for (const content of ["", "\n"]) {
    withFile(content, (path) => assertThrows(() => readPassword(path), StartError, "it is empty"));
  }
  withVariable("", () => assertThrows(() => readPassword(undefined), StartError, PASSWORD_VARIABLE));
});

Deno.test("readPassword() refuses bytes that are not UTF-8, since other such bytes would match them", () => {
  for (const bytes of [[0xe9], [0x61, 0xff, 0x62], [0xc3]]) {
    withFile(Uint8Array.from(bytes), (path) => assertThrows(() => readPassword(path), StartError, "expected UTF-8"));
  }
  withVariable("a\ufffd", () => assertThrows(() => readPassword(undefined), StartError, PASSWORD_VARIABLE));
});

Deno.test("readPassword() refuses a file that others can read", () =>
  withFile("secret", (path) => {
    Deno.chmodSync(path, 0o644);
    assertThrows(() => readPassword(path), StartError, "chmod 600");
  }));

Deno.test("Password matches() accepts the password of the one user, and nothing else", () => {
  const password = new Password("secret");
  assert(password.matches("default", "secret"));
  for (const wrong of ["", "Secret", "secret ", "secre", "secret\0"]) {
    assertFalse(password.matches("default", wrong), wrong);
  }
  for (const user of ["", "Default", "root"]) assertFalse(password.matches(user, "secret"), user);
});
