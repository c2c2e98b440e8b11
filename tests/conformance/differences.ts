/**
 * Where inmem answers otherwise than redis-server 7.0.15, and means to.
 *
 * One that does not occur any more fails the conformance test as well: then it has to go from here.
 *
 * @module
 */

/** A difference in the reply to one step. */
export interface StepDifference {
  /** The scenario's name, and the line of the transcript. */
  readonly scenario: string;
  readonly step: string;
  /** What inmem answers, as failures of the test show it. */
  readonly inmem: string;
  /** The same in RESP3, where that looks otherwise. */
  readonly inmem3?: string;
  readonly reason: string;
}

/** A text that inmem has wherever redis-server has another one. */
export interface TextDifference {
  readonly redis: string;
  readonly inmem: string;
  readonly reason: string;
}

/** One difference. */
export type Difference = StepDifference | TextDifference;

const TOO_LONG_KEY = "Keys and fields end at 32 KiB: they are kept whole beside their entry.";
const TOO_LONG_VALUE = "Values end at 64 MiB, and the error names that bound.";
const ONE_DATABASE =
  "Who asks for another database is cut off: a client that overlooks the error would write into the wrong one.";
const ONE_DATABASE_TEXT =
  "there is one database, 0; the connection is closed, so that nothing is written to the wrong database";
const ROUNDED_COUNTS = "Counts are rounded to 53 bits: next to a bound of 64 bits either answer may come.";
const TEXT_OF_ERRORS =
  "Errors are lines of UTF-8, so that every client can show them; redis-server cuts them at a zero byte.";
const NO_HTTP = "Both hang up on what a browser sends; inmem says why.";
const CONTAINERS = "Subcommands are no commands of their own here, so that what one of them works on is told of all.";

/** All of them. */
export const DIFFERENCES: readonly Difference[] = [
  {
    scenario: "command info of commands that differ",
    step: "command info save",
    inmem: "*1\\r\\n*10\\r\\n$4\\r\\nsave\\r\\n:-1\\r\\n*\\r\\n+admin\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    inmem3: "*1\\r\\n*10\\r\\n$4\\r\\nsave\\r\\n:-1\\r\\n~\\r\\n+admin\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n",
    reason: "`save` can be given a path, for a snapshot in a file of its own.",
  },
  {
    redis: "$6\r\nserver\r\n$5\r\nredis\r\n",
    inmem: "$6\r\nserver\r\n$5\r\ninmem\r\n",
    reason: "`hello` tells the truth about who answers.",
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
    reason: "The encoding is told by what the value is; redis-server tells how it came to be.",
  },
  {
    scenario: "lpos",
    step: "lpos l c RANK -9223372036854775808",
    inmem: "$-1\\r\\n",
    inmem3: "_\\r\\n",
    reason: "There is no element of that rank; in redis-server the rank overflows.",
  },
  {
    scenario: "counts next to the bounds of 64 bits",
    step: "hrandfield h -9223372036854775808 withvalues",
    inmem: "-ERR value is out of range\\r\\n",
    reason: ROUNDED_COUNTS,
  },
  {
    scenario: "counts next to the bounds of 64 bits",
    step: "hrandfield h 4611686018427387904 withvalues",
    inmem: "*2\\r\\n$1\\r\\na\\r\\n$1\\r\\n1\\r\\n",
    inmem3: "*1\\r\\n*2\\r\\n$1\\r\\na\\r\\n$1\\r\\n1\\r\\n",
    reason: ROUNDED_COUNTS,
  },
  {
    scenario: "idle times",
    step: "object idletime k",
    inmem: "-ERR idle times are not kept: eviction goes by the exact order in which keys were used\\r\\n",
    reason: "Exact LRU needs no clock, and a made-up time would mislead.",
  },
  {
    scenario: "a watched key beside one that was changed",
    step: "exec",
    inmem: "*-1\\r\\n",
    inmem3: "_\\r\\n",
    reason: "All keys of a command that changes one of them count as changed: a transaction is tried again, not lost.",
  },
  {
    scenario: "exec with arguments where there is no transaction",
    step: "exec extra",
    inmem: "-ERR wrong number of arguments for 'exec' command\\r\\n",
    reason: "No transaction is discarded where there is none.",
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
    scenario: "more arguments than inmem takes",
    step: 'a> :raw "x\\r\\n" => closed',
    inmem: "-ERR Protocol error: invalid multibulk length\\r\\n(closed)",
    reason:
      "A request has 1,048,576 arguments at most, as up to Redis 6: redis-server waits for more than two thousand million.",
  },
  {
    scenario: "a subscriber that publishes to itself, in RESP3",
    step: "exec => 3",
    inmem: "*2\\r\\n:2\\r\\n_\\r\\n>3\\r\\n$7\\r\\nmessage\\r\\n$1\\r\\nc\\r\\n$1\\r\\nm\\r\\n" +
      ">4\\r\\n$8\\r\\npmessage\\r\\n$1\\r\\n*\\r\\n$1\\r\\nc\\r\\n$1\\r\\nm\\r\\n",
    reason:
      "redis-server pushes messages into the array of the transaction's replies, where clients take them for replies.",
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
    scenario: "a long password of a stranger",
    step: "b> :raw xxxxxxxx…(16393 bytes)",
    inmem: "-ERR Protocol error: too big request\\r\\n",
    reason:
      "Before authentication a whole request has 16 KiB at most; redis-server allows that for each of ten arguments.",
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
    reason: "`ttl key seconds` sets a time here.",
  },
  {
    scenario: "command info of commands that differ",
    step: "command info rename renamenx",
    inmem: "*2\\r\\n*10\\r\\n$6\\r\\nrename\\r\\n:3\\r\\n*\\r\\n+denyoom\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n" +
      "*10\\r\\n$8\\r\\nrenamenx\\r\\n:3\\r\\n*\\r\\n+denyoom\\r\\n+fast\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n",
    inmem3: "*2\\r\\n*10\\r\\n$6\\r\\nrename\\r\\n:3\\r\\n~\\r\\n+denyoom\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n" +
      "*10\\r\\n$8\\r\\nrenamenx\\r\\n:3\\r\\n~\\r\\n+denyoom\\r\\n+fast\\r\\n+write\\r\\n:1\\r\\n:2\\r\\n:1\\r\\n",
    reason: "A longer key takes more memory.",
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
    reason: "There is one database, which can only be swapped with itself: nothing is written.",
  },
];
