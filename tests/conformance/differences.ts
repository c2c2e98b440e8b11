/**
 * The replies in which inmem deliberately differs from redis-server 7.0.15, each with its reason.
 *
 * A difference that no longer occurs fails the conformance test and must be removed from the list.
 *
 * @module
 */

/** A difference in the reply to one step of a scenario. */
export interface StepDifference {
  /** The name of the scenario. The step is a line of its transcript. */
  readonly scenario: string;
  readonly step: string;
  /** The reply of inmem, as a failure of the test prints it. */
  readonly inmem: string;
  /** The reply of inmem in RESP3, if it differs from the one in RESP2. */
  readonly inmem3?: string;
  readonly reason: string;
}

/** A text in any reply of redis-server, and the text that inmem has instead. */
export interface TextDifference {
  readonly redis: string;
  readonly inmem: string;
  readonly reason: string;
}

/** A difference in one step, or in a text. */
export type Difference = StepDifference | TextDifference;

const TOO_LONG_KEY = "Keys and fields have at most 32 KiB, because each is stored whole beside its entry.";
const TOO_LONG_VALUE = "Values have at most 64 MiB, and the error names this limit.";
const ONE_DATABASE =
  "inmem has one database. It closes the connection of a client that asks for another one: a client that ignores the " +
  "error would write to the wrong database.";
const ONE_DATABASE_TEXT =
  "there is one database, 0; the connection is closed, so that nothing is written to the wrong database";
const TEXT_OF_ERRORS =
  "Errors of inmem are lines of valid UTF-8, so that every client can show them. redis-server cuts them at a zero byte.";
const NO_HTTP = "Both servers close the connection of a browser, and inmem first says why.";
const CONTAINERS =
  "A subcommand has no entry of its own in inmem. The entry of its container has the flags and key positions of all.";

/** All differences that are accepted. */
export const DIFFERENCES: readonly Difference[] = [
  {
    scenario: "command info of commands that differ",
    step: "command info save",
    inmem: "*1\\r\\n*10\\r\\n$4\\r\\nsave\\r\\n:-1\\r\\n*\\r\\n+admin\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    inmem3: "*1\\r\\n*10\\r\\n$4\\r\\nsave\\r\\n:-1\\r\\n~\\r\\n+admin\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    reason: "`save` takes an optional path: it then writes a snapshot to a separate file.",
  },
  {
    redis: "$6\r\nserver\r\n$5\r\nredis\r\n",
    inmem: "$6\r\nserver\r\n$5\r\ninmem\r\n",
    reason: "`hello` names the server that replies.",
  },
  {
    redis: "-ERR DB index is out of range\r\n",
    inmem: `-ERR DB index is out of range: ${ONE_DATABASE_TEXT}\r\n`,
    reason: ONE_DATABASE,
  },
  {
    redis: "-ERR value is not an integer or out of range\r\n",
    inmem: `-ERR value is not an integer or out of range: ${ONE_DATABASE_TEXT}\r\n`,
    reason: ONE_DATABASE,
  },
  {
    scenario: "getrange, substr and setrange",
    step: "setrange pad 536870912 x",
    inmem: "-ERR string exceeds maximum allowed size (67108864 bytes)\\r\\n",
    reason: TOO_LONG_VALUE,
  },
  {
    scenario: "getrange, substr and setrange",
    step: "setrange pad 9223372036854775807 x",
    inmem: "-ERR string exceeds maximum allowed size (67108864 bytes)\\r\\n",
    reason: TOO_LONG_VALUE,
  },
  {
    scenario: "strings that look like numbers after `append`",
    step: "object encoding k",
    inmem: "$3\\r\\nint\\r\\n",
    reason: "inmem derives the encoding from the value; redis-server derives it from how the value was written.",
  },
  {
    scenario: "object encoding of sets",
    step: "object encoding a",
    inmem: "$8\\r\\nlistpack\\r\\n",
    reason: "Small sets with members that are no integers are packed, and have the name that Redis 7.2 gives them.",
  },
  {
    scenario: "lpos",
    step: "lpos l c RANK -9223372036854775808",
    inmem: "$-1\\r\\n",
    inmem3: "_\\r\\n",
    reason: "The list has no element of that rank. In redis-server the rank overflows.",
  },
  {
    scenario: "idle times",
    step: "object idletime k",
    inmem: "-ERR idle times are not kept: eviction goes by the exact order in which keys were used\\r\\n",
    reason: "inmem evicts by the exact order of use and keeps no idle times. An invented time would mislead.",
  },
  {
    scenario: "a watched key of a command that changed another key",
    step: "exec",
    inmem: "*-1\\r\\n",
    inmem3: "_\\r\\n",
    reason: "If a command changes one of its keys, all its keys count as changed. The client repeats the transaction.",
  },
  {
    scenario: "exec with arguments where there is no transaction",
    step: "exec extra",
    inmem: "-ERR wrong number of arguments for 'exec' command\\r\\n",
    reason: "There is no transaction that the error could discard.",
  },
  {
    scenario: "keys and fields that are too long",
    step: "set xxxxxxxx…(32769 bytes) v",
    inmem: "-ERR key exceeds 32768 bytes\\r\\n",
    reason: TOO_LONG_KEY,
  },
  {
    scenario: "keys and fields that are too long",
    step: "get xxxxxxxx…(32769 bytes)",
    inmem: "-ERR key exceeds 32768 bytes\\r\\n",
    reason: TOO_LONG_KEY,
  },
  {
    scenario: "keys and fields that are too long",
    step: "del xxxxxxxx…(32769 bytes)",
    inmem: "-ERR key exceeds 32768 bytes\\r\\n",
    reason: TOO_LONG_KEY,
  },
  {
    scenario: "keys and fields that are too long",
    step: "hset h xxxxxxxx…(32769 bytes) v",
    inmem: "-ERR field exceeds 32768 bytes\\r\\n",
    reason: TOO_LONG_KEY,
  },
  {
    scenario: "keys and fields that are too long",
    step: "hget h xxxxxxxx…(32769 bytes)",
    inmem: "$-1\\r\\n",
    inmem3: "_\\r\\n",
    reason: TOO_LONG_KEY,
  },
  {
    scenario: "more arguments than inmem accepts",
    step: 'a> :raw "x\\r\\n" => closed',
    inmem: "-ERR Protocol error: invalid multibulk length\\r\\n(closed)",
    reason:
      "A request has at most 1,048,576 arguments, the limit of Redis 6. redis-server 7 allows more than two billion.",
  },
  {
    scenario: "a subscriber that publishes to itself, in RESP3",
    step: "exec => 3",
    inmem: "*2\\r\\n:2\\r\\n_\\r\\n>3\\r\\n$7\\r\\nmessage\\r\\n$1\\r\\nc\\r\\n$1\\r\\nm\\r\\n" +
      ">4\\r\\n$8\\r\\npmessage\\r\\n$1\\r\\n*\\r\\n$1\\r\\nc\\r\\n$1\\r\\nm\\r\\n",
    reason:
      "redis-server puts pushes inside the array of the transaction's replies, where clients mistake them for replies.",
  },
  {
    scenario: "http",
    step: 'a> :raw "POST / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n" => closed',
    inmem: "-ERR this is no HTTP server\\r\\n(closed)",
    reason: NO_HTTP,
  },
  {
    scenario: "http",
    step: 'b> :raw "Host: localhost\\r\\n" => closed',
    inmem: "-ERR this is no HTTP server\\r\\n(closed)",
    reason: NO_HTTP,
  },
  {
    scenario: "http",
    step: 'c> :raw "*2\\r\\n$4\\r\\npost\\r\\n$1\\r\\n/\\r\\n" => closed',
    inmem: "-ERR this is no HTTP server\\r\\n(closed)",
    reason: NO_HTTP,
  },
  {
    scenario: "a long password before authentication",
    step: "b> :raw xxxxxxxx…(16393 bytes)",
    inmem: "-ERR Protocol error: too big request\\r\\n",
    reason:
      "Before authentication, inmem accepts 16 KiB a request; redis-server accepts that much for each of ten arguments.",
  },
  {
    scenario: "bytes in error texts",
    step: 'foo "\\xff"',
    inmem: "-ERR unknown command 'foo', with args beginning with: '\\xef\\xbf\\xbd' \\r\\n",
    reason: TEXT_OF_ERRORS,
  },
  {
    scenario: "bytes in error texts",
    step: 'foo "a\\x00b"',
    inmem: "-ERR unknown command 'foo', with args beginning with: 'a b' \\r\\n",
    reason: TEXT_OF_ERRORS,
  },
  {
    scenario: "bytes in error texts",
    step: '"\\x00"',
    inmem: "-ERR unknown command ' ', with args beginning with: \\r\\n",
    reason: TEXT_OF_ERRORS,
  },
  {
    scenario: "command info of commands that differ",
    step: "command info ttl",
    inmem: "*1\\r\\n*10\\r\\n$3\\r\\nttl\\r\\n:-2\\r\\n*\\r\\n+fast\\r\\n+write\\r\\n:1\\r\\n:1\\r\\n:1\\r\\n",
    inmem3: "*1\\r\\n*10\\r\\n$3\\r\\nttl\\r\\n:-2\\r\\n~\\r\\n+fast\\r\\n+write\\r\\n:1\\r\\n:1\\r\\n:1\\r\\n",
    reason: "`ttl` takes an optional number of seconds, which sets the time to live. It is therefore a write.",
  },
  {
    scenario: "command info of commands that differ",
    step: "command info rename renamenx",
    inmem: "*2\\r\\n*10\\r\\n$6\\r\\nrename\\r\\n:3\\r\\n*\\r\\n+denyoom\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n" +
      "*10\\r\\n$8\\r\\nrenamenx\\r\\n:3\\r\\n*\\r\\n+denyoom\\r\\n+fast\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n",
    inmem3: "*2\\r\\n*10\\r\\n$6\\r\\nrename\\r\\n:3\\r\\n~\\r\\n+denyoom\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n" +
      "*10\\r\\n$8\\r\\nrenamenx\\r\\n:3\\r\\n~\\r\\n+denyoom\\r\\n+fast\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n",
    reason: "The new key may be longer and take more memory, so the command is refused when memory is full.",
  },
  {
    scenario: "command info of commands that differ",
    step: "command info smove",
    inmem:
      "*1\\r\\n*10\\r\\n$5\\r\\nsmove\\r\\n:4\\r\\n*\\r\\n+denyoom\\r\\n+fast\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n",
    inmem3:
      "*1\\r\\n*10\\r\\n$5\\r\\nsmove\\r\\n:4\\r\\n~\\r\\n+denyoom\\r\\n+fast\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n",
    reason: "The second set may be new and take more memory, so the command is refused when memory is full.",
  },
  {
    scenario: "command info of commands that differ",
    step: "command info object",
    inmem: "*1\\r\\n*10\\r\\n$6\\r\\nobject\\r\\n:-2\\r\\n*\\r\\n+readonly\\r\\n:2\\r\\n:2\\r\\n:1\\r\\n",
    inmem3: "*1\\r\\n*10\\r\\n$6\\r\\nobject\\r\\n:-2\\r\\n~\\r\\n+readonly\\r\\n:2\\r\\n:2\\r\\n:1\\r\\n",
    reason: CONTAINERS,
  },
  {
    scenario: "command info of commands that differ",
    step: "command info memory",
    inmem: "*1\\r\\n*10\\r\\n$6\\r\\nmemory\\r\\n:-2\\r\\n*\\r\\n+readonly\\r\\n:2\\r\\n:2\\r\\n:1\\r\\n",
    inmem3: "*1\\r\\n*10\\r\\n$6\\r\\nmemory\\r\\n:-2\\r\\n~\\r\\n+readonly\\r\\n:2\\r\\n:2\\r\\n:1\\r\\n",
    reason: CONTAINERS,
  },
  {
    scenario: "command info of commands that differ",
    step: "command info config",
    inmem: "*1\\r\\n*10\\r\\n$6\\r\\nconfig\\r\\n:-2\\r\\n*\\r\\n+admin\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    inmem3: "*1\\r\\n*10\\r\\n$6\\r\\nconfig\\r\\n:-2\\r\\n~\\r\\n+admin\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    reason: CONTAINERS,
  },
  {
    scenario: "command info of commands that differ",
    step: "command info pubsub",
    inmem: "*1\\r\\n*10\\r\\n$6\\r\\npubsub\\r\\n:-2\\r\\n*\\r\\n+pubsub\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    inmem3: "*1\\r\\n*10\\r\\n$6\\r\\npubsub\\r\\n:-2\\r\\n~\\r\\n+pubsub\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    reason: CONTAINERS,
  },
  {
    scenario: "command info of commands that differ",
    step: "command info swapdb",
    inmem: "*1\\r\\n*10\\r\\n$6\\r\\nswapdb\\r\\n:3\\r\\n*\\r\\n+fast\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    inmem3: "*1\\r\\n*10\\r\\n$6\\r\\nswapdb\\r\\n:3\\r\\n~\\r\\n+fast\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    reason: "The one database can only be swapped with itself, so `swapdb` writes nothing.",
  },
];
