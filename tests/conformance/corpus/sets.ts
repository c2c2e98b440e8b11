/** Sets. */

import { type Group, group, transcript } from "../transcript.ts";

const LONG = "x".repeat(20_000);

/** Returns steps whose lines are computed. */
function lines(...texts: string[]): ReturnType<typeof transcript> {
  return transcript(Object.assign([], { raw: [texts.join("\n")] }));
}

/** Returns the words `prefix0`, `prefix1` and so on. */
function words(prefix: string, from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `${prefix}${from + i}`).join(" ");
}

/** Keys of all types: a string, a list, a hash, and sets. `n` and `o` are absent. */
const KEYS = lines(
  "set s v",
  "rpush l a",
  "hset h a 1",
  "sadd a 1 2 3 x y",
  "sadd b 2 3 4 y z",
  "sadd c 3 y 9",
  "sadd d q",
);

/** Returns the calls of a command on several sets, with all types, absent keys and keys that occur twice. */
function combinations(name: string): ReturnType<typeof transcript> {
  const calls =
    "a, n, a b, b a, a b c, c b a, a a, a b a, a n, n a, n o, a d, d a b c, a b n c, s, a s, s a, n s, s n, a n s";
  const others = "l a, a h, a b c l, ";
  return lines(...`${calls}, ${others}`.split(", ").map((keys) => `${name} ${keys}`));
}

/** Returns the calls of a command that stores, each followed by the content and the TTL of its destination. */
function stores(name: string): ReturnType<typeof transcript> {
  const calls = "n a b, a a b, b a b, c a b, a b c, a a, a n, a n a, n n, n o a, d a d, n d d, s a b, l a n, h a, s n";
  const refused = "a n s, n a s, n s a, a, a s, ";
  return `${calls}, ${refused}`.split(", ").flatMap((call) => {
    const destination = call.split(" ")[0] || "n";
    return lines(
      "flushall",
      ...KEYS.map(({ line }) => line),
      ...(destination === "a" ? ["expire a 100"] : []),
      `${name} ${call}`.trim(),
      `type ${destination}`,
      `smembers ${destination}`,
      `ttl ${destination}`,
      "dbsize",
    );
  });
}

/** Scenarios about sets. */
export const SETS: Group = group("sets", {
  "sadd, scard, sismember and smismember": transcript`
    sadd a x
    sadd a x
    sadd a x y
    sadd a z z w z
    sadd a 1 2 3 -1 0 01 -0 +1 1.0 9223372036854775807 9223372036854775808
    scard a
    scard n
    sismember a x
    sismember a 1
    sismember a 01
    sismember a " 1"
    sismember a ""
    sadd a "" "\x00\xff" "\r\n"
    sismember a ""
    sismember a "\x00\xff"
    smismember a x 2 nothing "" "\r\n"
    smismember a x x
    smismember n x y
    sadd a ${LONG}
    sismember a ${LONG}
    smismember a ${LONG} x
    scard a
    sadd a
    sadd
    scard
    scard a b
    sismember a
    sismember a b c
    sismember
    smismember a
    smismember
    set s v
    sadd s x
    sadd s
    scard s
    sismember s x
    smismember s x
    rpush l a
    sadd l a
    hset h a 1
    scard h
    type a
    SADD A X
    SMEMBERS A
  `,
  "srem": transcript`
    sadd a x y z 1 2 3 100 -100
    srem a x
    srem a x
    srem a y y 1 nothing 100
    smembers a
    srem n x
    srem a 3 02
    srem a z 2 3
    srem a -100
    exists a
    srem a -100
    srem a
    srem
    set s v
    srem s v
    sadd i 1 2 3
    srem i 1 2
    smembers i
    srem i 3
    type i
  `,
  "smembers": transcript`
    smembers n
    sadd a x
    smembers a
    sadd a y z "" "two words"
    smembers a
    sadd i 3 1 2 -7 100000 9000000000
    smembers i
    smembers
    smembers a b
    set s v
    smembers s
  `,
  "smove": [
    ...KEYS,
    ...transcript`
      smove a b x
      smembers a
      smembers b
      smove a b x
      smove a b 2
      smembers a
      smembers b
      smove a n 3
      smembers n
      smove d o q
      exists d
      smembers o
      smove d o q
      smove a a 1
      smove a a nothing
      smove nothing a 1
      smove nothing s 1
      smove s a v
      smove a s 1
      smove a l 1
      smove a s nothing
      smove h h a
      smove a b
      smove a b x y
      smove
      expire b 100
      smove a b 1
      ttl b
      smembers a
      ttl o
    `,
  ],
  "spop": transcript`
    spop n
    spop n 3
    spop n 0
    sadd a x
    spop a
    exists a
    sadd a x
    spop a 1
    exists a
    sadd a 1 2 3 x y
    spop a 0
    spop a 100
    exists a
    sadd a 1 2 3
    spop a 300
    type a
    sadd a 1 2 3
    spop a 2
    scard a
    sadd a 1 2 3
    spop a 9223372036854775807
    scard a
    sadd a 1 2 3
    spop a -1
    spop a abc
    spop a 1.5
    spop a ""
    spop a 9223372036854775808
    spop a 1 2
    spop
    scard a
    set s v
    spop s
    spop s 1
    spop s 0
    spop s -1
    spop s abc
    spop n -1
    sadd big ${LONG} b
    spop big 200
    sadd t 1 2
    expire t 100
    spop t
    ttl t
    spop t
    ttl t
  `,
  "srandmember": transcript`
    srandmember n
    srandmember n 5
    srandmember n -5
    srandmember n 0
    sadd one x
    srandmember one
    srandmember one 1
    srandmember one 5
    srandmember one -3
    srandmember one 0
    sadd a 1 2 3 x y
    srandmember a 5
    srandmember a 100
    srandmember a -10
    srandmember a 2
    srandmember a
    scard a
    srandmember a abc
    srandmember a 1.5
    srandmember a ""
    srandmember a 1 2
    srandmember a 9223372036854775807
    srandmember a -9223372036854775808
    srandmember a 9223372036854775808
    srandmember
    set s v
    srandmember s
    srandmember s 1
    srandmember s -9223372036854775807
    srandmember n -9223372036854775807
    srandmember s 0
    srandmember s abc
  `,
  "sscan": transcript`
    sscan n 0
    sadd a x y z xy 1
    sscan a 0
    sscan a 0 COUNT 100
    sscan a 0 match x*
    sscan a 0 MATCH nothing COUNT 10
    sscan a 0 match "[xz]" count 10
    sadd i 1 2 3 10 20
    sscan i 0
    sscan i 0 match 1*
    sscan i 0 count 1
    sscan a 0 count 0
    sscan a 0 count -1
    sscan a 0 count abc
    sscan a 0 match
    sscan a 0 count
    sscan a 0 foo
    sscan a 0 foo 1
    sscan a 0 type string
    sscan a abc
    sscan a 99999999999999999999999
    sscan a
    sscan
    sscan n abc
    sscan n 0 foo
    set s v
    sscan s 0
    sscan s abc
  `,
  "sinter": [...KEYS, ...combinations("sinter")],
  "sunion": [...KEYS, ...combinations("sunion")],
  "sdiff": [...KEYS, ...combinations("sdiff")],
  "sinterstore": stores("sinterstore"),
  "sunionstore": stores("sunionstore"),
  "sdiffstore": stores("sdiffstore"),
  "sintercard": [
    ...KEYS,
    ...transcript`
      sintercard 1 a
      sintercard 2 a b
      sintercard 3 a b c
      sintercard 2 a n
      sintercard 2 n a
      sintercard 2 a b limit 1
      sintercard 2 a b LIMIT 2
      sintercard 2 a b limit 3
      sintercard 2 a b limit 100
      sintercard 2 a b limit 0
      sintercard 2 a b limit 9223372036854775807
      sintercard 1 a limit 2
      sintercard 2 a b limit 1 limit 2
      sintercard 2 a b limit -1
      sintercard 2 a b limit abc
      sintercard 2 a b limit 1.5
      sintercard 2 a b limit ""
      sintercard 2 a b limit
      sintercard 2 a b foo
      sintercard 2 a b foo 1
      sintercard 2 a b c
      sintercard 0 a
      sintercard -1 a
      sintercard abc a
      sintercard 1.5 a
      sintercard "" a
      sintercard 3 a b
      sintercard 100 a b limit 1
      sintercard 9223372036854775807 a
      sintercard 9223372036854775808 a
      sintercard 1
      sintercard a
      sintercard
      sintercard 2 a s
      sintercard 2 s a
      sintercard 2 n s
      sintercard 1 s
      sintercard 2 a s limit -1
      sintercard 0 s
      sintercard 2 a limit 1
      sintercard 4 a b limit 1
      sintercard 1 limit limit 1
    `,
  ],
  "large sets": [
    ...lines(
      `sadd a ${words("member-", 0, 1000)}`,
      `sadd b ${words("member-", 500, 1500)}`,
      `sadd c ${words("", 0, 1000)}`,
      `sadd d ${words("", 900, 1100)} member-700`,
    ),
    ...transcript`
      scard a
      scard c
      smembers a
      smembers c
      sinter a b
      sunion a b c d
      sdiff a b
      sdiff b a
      sinter a b d
      sintercard 2 a b
      sintercard 2 a b limit 10
      sinterstore t a b
      smembers t
      sunionstore t a b c d a b c d
      smembers t
      sunionstore t t d
      scard t
      sdiffstore t t a
      scard t
      sdiffstore a a b
      smembers a
      sscan b 0 count 100000
      sscan b 0 match member-99? count 100000
      srandmember b 2000
      srandmember b -5
      spop b 3
      scard b
      srem d 900 901 902 903
      scard d
      spop c 2000
      exists c
      sismember t member-700
      sismember t 1050
    `,
  ],
  "object encoding of sets": [
    ...lines("sadd i 1 2 3 -5", `sadd j ${words("", 0, 600)}`, `sadd k ${words("member-", 0, 600)}`),
    ...transcript`
      object encoding i
      object encoding j
      object encoding k
      sadd a x
      object encoding a
      sadd b ${LONG}
      object encoding b
      object refcount a
      object freq a
      object freq n
    `,
  ],
  "a set with a TTL": transcript`
    sadd a 1 2
    expire a 100
    sadd a 3
    ttl a
    srem a 1
    ttl a
    sunionstore a a
    ttl a
    expire a 100
    sinterstore a a n
    ttl a
    sadd a 1
    ttl a
    pexpire a 20
    :sleep 40
    smembers a
    scard a
    sadd a 2
    smembers a
    ttl a
    persist a
  `,
  "keys that hold sets": [
    ...KEYS,
    ...transcript`
      type a
      scan 0 count 1000 type set
      scan 0 count 1000 type SET
      scan 0 count 1000 type list
      keys *
      copy a e
      smembers e
      copy a b
      copy a b replace
      smembers b
      copy b b
      rename a e
      smembers e
      exists a
      renamenx e c
      renamenx e f
      smembers f
      touch f
      unlink f
      smembers f
      get c
      append c x
      lpush c x
      llen c
      hset c a b
      hgetall c
      incr c
      getrange c 0 1
      lmove c l left right
      set c v
      get c
      sadd c x
      getset b v
      setnx d v
      getdel d
      mget a b c d
      memory usage d
    `,
  ],
  "sets in transactions": transcript`
    multi
    sadd a 1 2 3
    sadd b 2 3 4
    sinter a b
    sunionstore c a b
    scard c
    sdiff c a
    sismember c 9
    spop c 100
    exec
    multi
    sinter a
    sinter
    exec
    multi
    sadd a x
    get a
    sismember a x
    exec
    watch a
    b> sadd a y
    multi
    ping
    exec
    watch a
    b> srem a y
    multi
    ping
    exec
    watch a
    b> smove a b x
    multi
    ping
    exec
    watch b
    b> smove a b 1
    multi
    ping
    exec
    watch a
    b> spop a 100
    multi
    ping
    exec
    watch c
    b> sunionstore c a b
    multi
    ping
    exec
    watch c
    b> sinterstore c n
    multi
    ping
    exec
    watch b
    b> smembers b
    b> sadd b 2
    b> srem b nothing
    b> smove b c nothing
    b> spop b 0
    b> sinter b b
    multi
    ping
    exec
  `,
  "a client that waits for a list at the key of a set": transcript`
    a> blpop q 5 => blocked
    b> sadd q x
    b> type q
    b> del q
    b> rpush q y
    a> :read 1
    b> sadd q z
    c> blpop q 1
  `,
  "command info, docs and getkeys of sets": transcript`
    command info sadd srem smembers sismember smismember scard spop srandmember sscan
    command info sinter sinterstore sintercard sunion sunionstore sdiff sdiffstore
    command getkeys sadd a 1 2
    command getkeys sinter a b c
    command getkeys sinterstore a b c
    command getkeys smove a b c
    command getkeys sintercard 2 a b
    command getkeys sintercard 2 a b limit 1
    command getkeys sintercard 1 a b
    command getkeys sintercard 0 a b
    command getkeys sintercard 3 a b
    command getkeys sintercard abc a b
    command getkeys sintercard -1 a b
    command getkeysandflags smove a b c
    command getkeysandflags sinterstore a b c
    command getkeysandflags sunionstore a b c
    command getkeysandflags sintercard 2 a b
    command docs sadd
  `,
});
