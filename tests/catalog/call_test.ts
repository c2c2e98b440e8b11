import { assertEquals, assertThrows } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { checkAuthentication, checkSizes, unknownCommand, wrongCount } from "../../src/catalog/call.ts";
import { type Call, COMMANDS, keysEnd } from "../../src/catalog/specification.ts";
import { ReplyError } from "../../src/errors.ts";
import {
  CHANNEL_SIZE_MAX_BYTES,
  ELEMENT_SIZE_MAX_BYTES,
  KEY_SIZE_MAX_BYTES,
  PATTERN_SIZE_MAX_BYTES,
  VALUE_SIZE_MAX_BYTES,
  WORD_SIZE_MAX_BYTES,
} from "../../src/limits.ts";

/** Returns a call of these words. A number is an argument of that length without contents. */
function callOf(...words: readonly (string | number)[]): Call {
  const encoded = words.map((word) => typeof word === "string" ? encodeText(word) : new Uint8Array(0));
  const bytes = new Uint8Array(encoded.reduce((sum, { length }) => sum + length, 0));
  const starts = new Int32Array(words.length);
  const lengths = new Int32Array(words.length);
  let at = 0;
  encoded.forEach((word, index) => {
    bytes.set(word, at);
    starts[index] = at;
    lengths[index] = typeof words[index] === "number" ? words[index] : word.length;
    at += word.length;
  });
  return { bytes, count: words.length, starts, lengths };
}

function refusalOf(run: () => void): string {
  const { code, message } = assertThrows(run, ReplyError);
  return `${code} ${message}`;
}

Deno.test("wrongCount() names the command in lower case", () => {
  const { code, message } = wrongCount(callOf("GeT", "a", "b"));
  assertEquals([code, message], ["ERR", "wrong number of arguments for 'get' command"]);
});

Deno.test("unknownCommand() quotes name and arguments on one line, 128 bytes of each at most", () => {
  const quote = (...words: string[]) => unknownCommand(callOf(...words)).message;
  const after = "', with args beginning with: ";
  assertEquals(quote("foo"), `unknown command 'foo${after}`);
  assertEquals(quote("", "", "b"), `unknown command '${after}'' 'b' `);
  assertEquals(quote("a\r\nb", "\x7f\0"), `unknown command 'a  b${after}'  ' `);
  assertEquals(quote("n".repeat(129)), `unknown command '${"n".repeat(128)}${after}`);
  // The quotation marks and the space count, as they do in Redis.
  assertEquals(quote("f", "x".repeat(124), "yy", "z"), `unknown command 'f${after}'${"x".repeat(124)}' 'y' `);
  assertEquals(quote("f", "x".repeat(125), "yy"), `unknown command 'f${after}'${"x".repeat(125)}' `);
});

Deno.test("checkSizes() bounds keys and all other arguments, for every command", () => {
  for (const specification of COMMANDS) {
    const { name, firstKey, keyStep, keyCountAt, group, valueMaxBytes } = specification;
    // Names of channels have other bounds, which are tested below.
    if (group === "channel") continue;
    const count = 6;
    for (let index = 1; index < count; index++) {
      if (index === keyCountAt) continue;
      const call = (length: number) =>
        callOf(name, ...Array.from({ length: 5 }, (_, i) => i + 1 === keyCountAt ? "2" : i + 1 === index ? length : 0));
      const isKey = firstKey > 0 && index >= firstKey && index < keysEnd(specification, call(0)) &&
        (index - firstKey) % keyStep === 0;
      const max = isKey ? KEY_SIZE_MAX_BYTES : valueMaxBytes;
      checkSizes(specification, call(max));
      const what = isKey ? "key" : valueMaxBytes === WORD_SIZE_MAX_BYTES ? "argument" : "value";
      const refusal = `ERR ${what} exceeds ${max} bytes`;
      assertEquals(refusalOf(() => checkSizes(specification, call(max + 1))), refusal, `${name}, argument ${index}`);
    }
  }
});

Deno.test("checkSizes() bounds values by the type that stores them", () => {
  const bound = (name: string) => COMMANDS.find((command) => command.name === name)!.valueMaxBytes;
  assertEquals(["set", "mset", "echo", "publish"].map(bound), new Array(4).fill(VALUE_SIZE_MAX_BYTES));
  assertEquals(["rpush", "lset", "hset", "hmset"].map(bound), new Array(4).fill(ELEMENT_SIZE_MAX_BYTES));
  assertEquals(["auth", "client", "config", "info"].map(bound), new Array(4).fill(WORD_SIZE_MAX_BYTES));
});

Deno.test("checkSizes() bounds the number of arguments, for every command", () => {
  const empty = (count: number): Call => ({
    bytes: new Uint8Array(0),
    count,
    starts: new Int32Array(count),
    lengths: new Int32Array(count),
  });
  for (const specification of COMMANDS) {
    const { name, argumentsMaxCount } = specification;
    checkSizes(specification, empty(argumentsMaxCount));
    const refusal = `ERR too many arguments for '${name}' command: at most ${argumentsMaxCount - 1}`;
    assertEquals(refusalOf(() => checkSizes(specification, empty(argumentsMaxCount + 1))), refusal);
  }
});

const WRONG = "WRONGPASS invalid username-password pair or user is disabled.";

Deno.test("checkAuthentication() requires user and password if a password is configured", () => {
  const asked: string[] = [];
  const authenticator = {
    passwordRequired: true,
    authenticate(client: string, user: string, password: string): boolean {
      asked.push(`${client} ${user}:${password}`);
      return password === "secret";
    },
    failedLogin: () => 0,
  };
  checkAuthentication(callOf("auth", "secret"), "a", authenticator);
  checkAuthentication(callOf("auth", "somebody", "secret"), "a", authenticator);
  assertEquals(refusalOf(() => checkAuthentication(callOf("auth", "nope"), "a", authenticator)), WRONG);
  assertEquals(refusalOf(() => checkAuthentication(callOf("auth", "secret", "nope"), "a", authenticator)), WRONG);
  assertEquals(asked, ["a default:secret", "a somebody:secret", "a default:nope", "a secret:nope"]);
  assertEquals(
    refusalOf(() => checkAuthentication(callOf("auth", "a", "b", "c"), "a", authenticator)),
    "ERR syntax error",
  );
});

Deno.test("checkAuthentication() accepts any password of the only user if none is configured", () => {
  const authenticator = {
    passwordRequired: false,
    authenticate(): boolean {
      throw new Error("there is no password to compare with");
    },
    failedLogin: () => 0,
  };
  checkAuthentication(callOf("auth", "default", "whatever"), "a", authenticator);
  assertEquals(refusalOf(() => checkAuthentication(callOf("auth", "bob", "x"), "a", authenticator)), WRONG);
  assertEquals(
    refusalOf(() => checkAuthentication(callOf("auth", "x"), "a", authenticator)),
    "ERR AUTH <password> called without any password configured for the default user. " +
      "Are you sure your configuration is correct?",
  );
});

Deno.test("checkSizes() bounds names of channels like keys, and patterns of them like patterns of keys", () => {
  const check = (...words: (string | number)[]) =>
    checkSizes(COMMANDS.find(({ name }) => name === words[0])!, callOf(...words));
  const name = CHANNEL_SIZE_MAX_BYTES;
  const pattern = PATTERN_SIZE_MAX_BYTES;
  check("publish", name, VALUE_SIZE_MAX_BYTES);
  for (const command of ["subscribe", "unsubscribe"]) check(command, "a", name);
  for (const command of ["psubscribe", "punsubscribe"]) check(command, "a", pattern);
  check("unsubscribe");
  check("pubsub", "numsub", "a", name);
  check("pubsub", "NumSub");
  check("pubsub", "CHANNELS", pattern);
  check("pubsub", "numpat");
  const tooLong = `ERR channel name exceeds ${name} bytes`;
  assertEquals(refusalOf(() => check("publish", name + 1, 1)), tooLong);
  assertEquals(refusalOf(() => check("publish", 1, VALUE_SIZE_MAX_BYTES + 1)), "ERR value exceeds 67108864 bytes");
  for (const command of ["subscribe", "unsubscribe"]) {
    assertEquals(refusalOf(() => check(command, 1, name + 1, 1)), tooLong);
  }
  assertEquals(refusalOf(() => check("pubsub", "numsub", "a", name + 1)), tooLong);
  const tooLongPattern = `ERR pattern exceeds ${pattern} bytes`;
  for (const command of ["psubscribe", "punsubscribe"]) {
    assertEquals(refusalOf(() => check(command, 1, 1, pattern + 1)), tooLongPattern);
  }
  assertEquals(refusalOf(() => check("pubsub", "Channels", pattern + 1)), tooLongPattern);
});
