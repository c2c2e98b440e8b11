import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import { Password, PASSWORD_VARIABLE, readPasswords } from "../../src/role/password.ts";

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

/** Runs a test with the variable set. The tests of one file run one after another. */
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

const FILES: readonly (readonly [content: string, passwords: string[]])[] = [
  ["secret", ["secret"]],
  ["secret\n", ["secret"]],
  ["secret\r\n", ["secret"]],
  ["secret\n\n \t\r\n", ["secret"]],
  [" two words \n", [" two words "]],
  ["\ufeffsecret\n", ["secret"]],
  ["Grüße 🦕", ["Grüße 🦕"]],
  ["new\nold", ["new", "old"]],
  ["new\r\nold\r\n\r\n", ["new", "old"]],
  ["\ufeffnew\n old\n", ["new", " old"]],
  ["same\nsame\n", ["same", "same"]],
];

Deno.test("readPasswords() reads one or two lines of the file, and ignores what editors add", () => {
  for (const [content, passwords] of FILES) {
    withFile(content, (path) => assertEquals(readPasswords(path), passwords, JSON.stringify(content)));
  }
});

Deno.test("readPasswords() prefers the file to the environment, whose value is always one password", () => {
  withVariable("of the\nenvironment\n", () => {
    withFile("secret\n", (path) => assertEquals(readPasswords(path), ["secret"]));
    assertEquals(readPasswords(undefined), ["of the\nenvironment\n"]);
  });
});

Deno.test("readPasswords() refuses a file with an empty line before a password, more than two lines, or NUL bytes", () => {
  const refused: [content: string, message: string][] = [
    ["\nsecret", "line 1 is empty"],
    ["  \nsecret", "line 1 is empty"],
    ["new\n\nold", "line 2 is empty"],
    ["a\nb\nc", "it has 3 lines, expected one password, or two"],
    ["a\nb\nc\nd\n\n", "it has 4 lines"],
    ["s\0e\0", "NUL"],
  ];
  for (const [content, message] of refused) {
    withFile(content, (path) => assertThrows(() => readPasswords(path), StartError, message));
  }
});

Deno.test("readPasswords() refuses an empty password", () => {
  for (const content of ["", "\n", "\r\n", " \n\t\n", "\ufeff", "\ufeff\n"]) {
    withFile(content, (path) => assertThrows(() => readPasswords(path), StartError, "it is empty"));
  }
  withVariable("", () => assertThrows(() => readPasswords(undefined), StartError, PASSWORD_VARIABLE));
});

Deno.test("readPasswords() refuses bytes that are not UTF-8, since other such bytes would match them", () => {
  for (const bytes of [[0xe9], [0x61, 0xff, 0x62], [0xc3]]) {
    withFile(Uint8Array.from(bytes), (path) => assertThrows(() => readPasswords(path), StartError, "expected UTF-8"));
  }
  withVariable("a\ufffd", () => assertThrows(() => readPasswords(undefined), StartError, PASSWORD_VARIABLE));
});

Deno.test("readPasswords() refuses a file that others can read", () =>
  withFile("secret", (path) => {
    Deno.chmodSync(path, 0o644);
    assertThrows(() => readPasswords(path), StartError, "chmod 600");
  }));

Deno.test("Password matches() accepts each of two passwords", () => {
  const password = new Password(["new", "old"]);
  assert(password.matches("default", "new"));
  assert(password.matches("default", "old"));
  for (const wrong of ["", "new\nold", "newold", "ne"]) assertFalse(password.matches("default", wrong), wrong);
  assertFalse(password.matches("root", "new"));
});

Deno.test("Password matches() accepts the password of the only user, and nothing else", () => {
  const password = new Password("secret");
  assert(password.matches("default", "secret"));
  for (const wrong of ["", "Secret", "secret ", "secre", "secret\0"]) {
    assertFalse(password.matches("default", wrong), wrong);
  }
  for (const user of ["", "Default", "root"]) assertFalse(password.matches(user, "secret"), user);
});
