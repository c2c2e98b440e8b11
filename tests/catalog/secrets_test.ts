/** Tests which words of a request are secret, for every command whose row says that it has secrets. */

import { assert, assertEquals } from "@std/assert";
import { secretsOf } from "../../src/catalog/secrets.ts";
import { type Call, COMMANDS } from "../../src/catalog/specification.ts";

function callOf(words: readonly string[]): Call {
  const bytes = new TextEncoder().encode(words.join(""));
  const lengths = Int32Array.from(words, (word) => new TextEncoder().encode(word).length);
  const starts = new Int32Array(words.length);
  for (let i = 1; i < words.length; i++) starts[i] = starts[i - 1]! + lengths[i - 1]!;
  return { bytes, starts, lengths, count: words.length };
}

/** Returns the words with `*` in place of each secret. */
function shown(line: string): string {
  const words = line.split(" ");
  const isSecret = secretsOf(callOf(words));
  return words.map((word, i) => isSecret?.(i) ? "*" : word).join(" ");
}

Deno.test("secretsOf() hides passwords, and shows the other words", () => {
  const lines: Readonly<Record<string, string>> = {
    "auth pw": "auth *",
    "AUTH default pw": "AUTH * *",
    "auth a b c d": "auth * * * *",
    "auth": "auth",
    "hello": "hello",
    "hello 3": "hello 3",
    "hello 3 auth default pw": "hello 3 auth * *",
    "HELLO 2 AUTH default pw SETNAME me": "HELLO 2 AUTH * * SETNAME me",
    "hello 3 setname me auth default pw": "hello 3 setname me auth * *",
    "hello 3 auth default": "hello 3 auth *",
    "hello 3 auth setname pw": "hello 3 auth * *",
    "hello 3 auht default pw": "hello 3 * * *",
    "hello auth default pw": "hello auth * *",
    "hello pw": "hello *",
    "hello 33 pw": "hello * *",
    "hello 3 setname": "hello 3 setname",
    "config set requirepass pw": "config set requirepass *",
    "config set RequirePass pw": "config set RequirePass *",
    "CONFIG SET masterauth pw maxmemory-policy noeviction": "CONFIG SET masterauth * maxmemory-policy noeviction",
    "config set slowlog-max-len 5 requirepass pw": "config set slowlog-max-len 5 requirepass *",
    "config set requirepas pw": "config set * *",
    "config set my-password pw": "config set * *",
    "config set tls-key-file-pass pw": "config set tls-key-file-pass *",
    "config set pw": "config set *",
    "config set maxmemory 5 pw": "config set maxmemory 5 *",
    "config set requirepass=pw x": "config set * *",
    "config get requirepass": "config get requirepass",
    "config resetstat": "config resetstat",
    "config": "config",
    "command": "command",
    "command info auth": "command info auth",
    "command getkeys auth pw": "command getkeys auth *",
    "command getkeysandflags hello 3 auth default pw": "command getkeysandflags hello 3 auth * *",
    "command getkeys config set requirepass pw": "command getkeys config set requirepass *",
    "command getkeys command getkeys auth pw": "command getkeys command getkeys auth *",
    "command getkeys auht pw": "command getkeys auht *",
    "command getkeys set k v": "command getkeys set k v",
    "acl setuser bob >pw": "acl * * *",
    "auht pw": "auht *",
    "set auth pw": "set auth pw",
    "client setname auth": "client setname auth",
  };
  for (const [line, expected] of Object.entries(lines)) assertEquals(shown(line), expected);
});

Deno.test("secretsOf() knows every way in which a row says that its command has secrets", () => {
  const kinds = new Set(COMMANDS.map(({ secret }) => secret));
  assertEquals([...kinds].sort(), ["arguments", "command", "none", "settings", "words"]);
  for (const { name, aliases, secret } of COMMANDS) {
    for (const each of [name, ...aliases, name.toUpperCase()]) {
      // A password in the place of any argument.
      const line = `${each} set pw pw pw pw`;
      if (secret === "none") assertEquals(shown(line), line);
      else if (secret !== "command") assert(shown(line).includes("*"), line);
    }
  }
});

Deno.test("secretsOf() takes no long time for words of any size and number", () => {
  const long = "x".repeat(1_000_000);
  for (const line of [`auth ${long}`, `hello 3 ${long}`, `config set ${long} v`, `command getkeys ${long} ${long}`]) {
    assert(shown(line).length < 40 + long.length, line.slice(0, 20));
  }
  const nested = Array.from({ length: 200 }, () => "command getkeys").join(" ") + " auth pw";
  assertEquals(shown(nested), nested.replace(" pw", " *"));
});
