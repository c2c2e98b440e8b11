import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { ReplyError } from "../../src/errors.ts";
import { adviceFor, type Place } from "../../src/shell/advice.ts";
import { printable } from "../../src/terminal/printable_text.ts";

const PLACES: readonly Place[] = ["call", "pipe", "prompt"];

function unknown(place: Place, ...words: string[]): string {
  return adviceFor(words, new ReplyError("ERR", `unknown command '${words[0]}', with args beginning with: `), place);
}

Deno.test("adviceFor() shows the syntax after a wrong number of arguments or a syntax error, by any name", () => {
  for (const message of ["wrong number of arguments for 'get' command", "syntax error", "syntax error near x"]) {
    const wrong = new ReplyError("ERR", message);
    assertEquals(adviceFor(["get"], wrong, "call"), "usage: get key\n");
    assertEquals(adviceFor([encodeText("GET"), encodeText("a")], wrong, "prompt"), "usage: get key\n");
    assertEquals(adviceFor(["lindex"], wrong, "pipe"), "usage: lget key index\n");
    assertEquals(adviceFor(["multi", "x"], wrong, "call"), "usage: multi\n");
    assertEquals(adviceFor(["nosuch"], wrong, "call"), "");
    for (const { name } of COMMANDS) assertMatch(adviceFor([name], wrong, "call"), /^usage: [^\n]+\n$/);
  }
  assertEquals(adviceFor(["get", "a"], new ReplyError("ERR", "value is not an integer"), "call"), "");
  assertEquals(adviceFor([], new ReplyError("ERR", "syntax error"), "call"), "");
});

Deno.test("adviceFor() names the commands that may have been meant", () => {
  const cases: [typed: string, meant: string][] = [
    ["sett", "set"],
    ["gte", "get"],
    ["hgetal", "hgetall"],
    ["FLUSHAL", "flushall"],
    ["exti", "exit"],
    ["exprie", "expire"],
    ["clsuter", "cluster"],
  ];
  for (const place of PLACES) {
    for (const [typed, meant] of cases) {
      assertMatch(unknown(place, typed, "a"), new RegExp(`^hint: did you mean .*"${meant}"`));
    }
    assertMatch(unknown(place, "frobnicate"), /^hint: "(inmem client )?help" lists the commands\n$/);
    assertMatch(unknown(place, "x".repeat(100_000)), /^hint: /);
  }
});

Deno.test("adviceFor() says what inmem has instead of a command of Redis, for every command that it does not have", () => {
  const absent: [typed: string, told: RegExp][] = [
    ["ZADD", /no sorted sets/],
    ["bzpopmin", /no sorted sets/],
    ["xadd", /no streams/],
    ["eval", /no scripts/],
    ["EVALSHA_RO", /no scripts/],
    ["fcall", /no scripts/],
    ["geoadd", /no geographic/],
    ["georadius_ro", /no geographic/],
    ["pfadd", /no HyperLogLogs/],
    ["setbit", /bits/],
    ["bitfield_ro", /bits/],
    ["json.set", /no modules/],
    ["replicaof", /no replicas/],
    ["migrate", /one key/],
    ["acl", /one user/],
    ["sort", /does not sort/],
    ["move", /one database/],
    ["shutdown", /SIGTERM/],
    ["readonly", /Redis Cluster/],
    ["ssubscribe", /channels of shards/],
    ["lmpop", /a count/],
  ];
  for (const [typed, told] of absent) for (const place of PLACES) assertMatch(unknown(place, typed, "k"), told);
  // A command that exists is never called absent.
  for (const name of COMMANDS.flatMap((command) => [command.name, ...command.aliases])) {
    assertMatch(unknown("call", name), /^hint: did you mean/, name);
  }
});

Deno.test("adviceFor() notices quotes around a whole command, and options after it", () => {
  assertEquals(
    unknown("call", "get a"),
    "hint: leave out the quotes around the whole command: inmem client get a\n",
  );
  assertEquals(unknown("prompt", "SET a b "), "hint: leave out the quotes around the whole command: SET a b\n");
  const wrong = new ReplyError("ERR", "wrong number of arguments for 'keys' command");
  assertEquals(
    adviceFor(["keys", "*", "--json"], wrong, "call"),
    "usage: keys pattern\nhint: an option of the client goes before the command: inmem client --json keys …\n",
  );
  assertEquals(adviceFor(["keys", "*", "--json"], wrong, "prompt"), "usage: keys pattern\n");
  assertEquals(adviceFor(["keys", "*", "--constructor"], wrong, "call"), "usage: keys pattern\n");
});

Deno.test("adviceFor() completes an unknown subcommand", () => {
  const error = new ReplyError("ERR", "unknown subcommand 'gte'. Try CONFIG HELP.");
  assertEquals(adviceFor(["config", "gte", "x"], error, "call"), 'hint: did you mean "config get"?\n');
  assertMatch(adviceFor(["config", "frobnicate"], error, "call"), /^hint: expected config get, set/);
});

Deno.test("adviceFor() has an advice for each code that the user can do something about", () => {
  const codes = ["CROSSSLOT", "EXECABORT", "LOADING", "MISCONF", "NOAUTH", "NOPROTO", "OOM", "READONLY", "UNAVAILABLE"];
  for (const code of [...codes, "UNKNOWN_OUTCOME", "WRONGPASS", "WRONGTYPE"]) {
    for (const place of PLACES) {
      assertMatch(adviceFor(["get", "a"], new ReplyError(code, "x"), place), /^hint: \S.*\n$/);
    }
  }
  assertEquals(
    adviceFor(["get", "a"], new ReplyError("WRONGTYPE", "x"), "call"),
    'hint: "type a" shows what the key holds\n',
  );
  assertEquals(adviceFor(["get", "a\x1b[2J"], new ReplyError("WRONGTYPE", "x"), "call").includes("\x1b"), false);
  assertEquals(adviceFor(["get", "a"], new ReplyError("WHATEVER", "x"), "call"), "");
});

Deno.test("no advice has characters that a terminal would obey, or further lines of the user's", () => {
  const hostile = ["get \x1b[2J\n\x9b", "\u202eteg", "--json\n", "a\nb"];
  for (const word of hostile) {
    for (const place of PLACES) {
      for (const error of [unknownCommandError(word), new ReplyError("ERR", "syntax error")]) {
        const text = adviceFor([word, word], error, place) + adviceFor(["keys", word, word], error, place);
        assertEquals(text, printable(text));
        assert(text.split("\n").length <= 5, JSON.stringify(text));
      }
    }
  }
});

function unknownCommandError(word: string): ReplyError {
  return new ReplyError("ERR", `unknown command '${word}', with args beginning with: `);
}

Deno.test("adviceFor() breaks lines between words at every width, and not at all for a file", () => {
  const refusals = [
    ...COMMANDS.map(({ name }) => [name, "wrong number of arguments"] as const),
    ...["zadd", "eval", "sett", "nosuch"].map((name) => [name, "unknown command"] as const),
  ];
  for (const [name, message] of refusals) {
    const error = new ReplyError("ERR", message);
    const whole = adviceFor([name], error, "prompt");
    assertMatch(whole, /^[^\n]+\n$/);
    for (const columns of [20, 80, 1000]) {
      const lines = adviceFor([name], error, "prompt", columns).trimEnd().split("\n").map((line) => line.trimEnd());
      assertEquals(lines.map((line) => line.trim()).join(" "), whole.trimEnd());
      // A word that is longer than a line stays whole.
      for (const line of lines) assert(line.length < columns || !line.trim().includes(" "), line);
    }
  }
  const usage = adviceFor(["set"], new ReplyError("ERR", "syntax error"), "prompt", 80);
  assertMatch(usage, /^usage: set key value [^\n]+\n {4}[^ \n][^\n]*\n/);
});
