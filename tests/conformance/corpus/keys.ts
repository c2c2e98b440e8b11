/** Keys of any type. */

import { type Group, group, transcript } from "../transcript.ts";

/** The longest key that inmem accepts. */
const LONGEST = "x".repeat(32 * 1024);

/** Scenarios about keys. */
export const KEYS: Group = group("keys", {
  "del, unlink, exists, touch, type": transcript`
    mset a 1 b 2 c 3
    rpush l x
    hset h f v
    exists a
    exists a b absent a
    exists
    touch a b absent
    touch a a
    touch
    type a
    type l
    type h
    type absent
    type
    type a b
    del a
    del a
    del b l absent b
    del
    unlink c
    unlink c h absent
    unlink
    dbsize
    dbsize extra
  `,
  "expire and ttl": transcript`
    expire absent 10
    ttl absent
    pttl absent
    set k v
    ttl k
    pttl k
    expire k 100
    ttl k
    pttl k
    pexpire k 200000
    ttl k
    persist k
    persist k
    persist absent
    ttl k
    expireat k 33177117420
    expiretime k
    pexpiretime k
    pexpireat k 33177117420123
    expiretime k
    pexpiretime k
    expiretime absent
    pexpiretime absent
    persist k
    expiretime k
    pexpiretime k
    expire k abc
    expire k 1.5
    expire k ""
    expire k 9223372036854775807
    expire k -9223372036854775808
    expire k 9223372036854775808
    pexpire k 9223372036854775807
    pexpire k abc
    expireat k abc
    expireat k 9223372036854775807
    pexpireat k abc
    expire absent abc
    expire k
    expire
    pexpire k
    expireat k
    pexpireat k
    ttl
    pttl
    pttl a b
    persist
    persist a b
    expiretime
    pexpiretime
    expire k 0
    exists k
    set k v
    expire k -1
    exists k
    set k v
    pexpire k 0
    exists k
    set k v
    pexpire k -1
    exists k
    set k v
    expireat k 1
    exists k
    set k v
    pexpireat k 1
    exists k
    set k v
    expireat k 0
    exists k
    set k v
    expireat k -1
    exists k
    rpush l a
    pexpire l 20
    :sleep 40
    exists l
    llen l
    lpush l b
    ttl l
  `,
  "expire with conditions": transcript`
    set k v
    expire k 100 XX
    ttl k
    expire k 100 NX
    expire k 200 NX
    ttl k
    expire k 200 XX
    ttl k
    expire k 100 GT
    ttl k
    expire k 300 gt
    ttl k
    expire k 400 LT
    ttl k
    expire k 50 LT
    ttl k
    expire k 40 XX GT
    expire k 60 xx gt
    expire k 50 NX XX
    expire k 50 NX GT
    expire k 50 NX LT
    expire k 50 GT LT
    expire k 50 FOO
    expire k 50 NX FOO
    expire k 50 NX NX
    persist k
    expire k 50 GT
    ttl k
    expire k 50 LT
    ttl k
    pexpire k 100000 GT
    pexpire k 300000 NX
    pttl k
    expireat k 33177117420 GT
    expireat k 33177117420 GT
    expireat k 33177117419 LT
    pexpireat k 33177117420123 XX
    pexpireat k 33177117420123 NX
    expire absent 10 NX
    expire absent 10 FOO
    expire k -1 GT
    exists k
    expire k -1 LT
    exists k
  `,
  "rename and renamenx": transcript`
    set a 1
    rename a b
    get a
    get b
    rename absent b
    rename b b
    rename absent absent
    rename b
    rename
    rename a b c
    set c 3 EX 100
    rename c b
    get b
    ttl b
    rpush l x y
    rename l b
    lrange b 0 -1
    ttl b
    hset h f v
    renamenx h b
    renamenx h fresh
    hgetall fresh
    exists h
    renamenx absent x
    renamenx fresh fresh
    renamenx fresh
    renamenx
    rename "" x
    set "" v
    rename "" "\x00"
    get "\x00"
  `,
  "copy": transcript`
    set a 1 EX 100
    copy a b
    get b
    ttl b
    copy a b
    set a 2
    copy a b REPLACE
    get b
    ttl b
    copy absent c
    exists c
    copy a a
    copy absent absent
    copy a c DB 0
    get c
    copy a c db 0 replace
    copy a d DB abc
    copy a d DB 99
    copy a d DB -1
    copy a d DB
    copy a d FOO
    copy a d REPLACE FOO
    copy a
    copy
    rpush l 1 2 3
    copy l l2
    rpush l2 4
    lrange l 0 -1
    lrange l2 0 -1
    hset h a 1 b 2
    copy h h2
    hset h2 a changed
    hget h a
    hgetall h2
    copy h l
    copy h l replace
    type l
  `,
  "keys": transcript`
    keys *
    mset one 1 two 2 three 3 four 4 hello 5 hallo 6 hxllo 7 "h[llo" 8 "a\\b" 9 "" 10
    keys *
    keys t*
    keys h?llo
    keys h[ae]llo
    keys h[^e]llo
    keys h[a-e]llo
    keys h[e-a]llo
    keys "h\\[llo"
    keys [a
    keys "*o*"
    keys "???"
    keys ""
    keys one
    keys ONE
    keys "a\\\\b"
    keys "**e"
    keys "[^a-z]*"
    keys "h[\\ae]llo"
    keys
    keys a b
  `,
  "scan": transcript`
    scan 0
    mset one 1 two 2 three 3
    rpush l a
    hset h f v
    scan 0
    scan 0 COUNT 1000
    scan 0 MATCH t* COUNT 1000
    scan 0 TYPE string COUNT 1000
    scan 0 type LIST count 1000
    scan 0 type hash count 1000
    scan 0 type foo count 1000
    scan 0 type zset count 1000
    scan 0 match "*" type string count 1000
    scan 0 match nothing count 1000
    scan 0 count 0
    scan 0 count -1
    scan 0 count abc
    scan 0 count
    scan 0 match
    scan 0 type
    scan 0 foo
    scan 0 foo bar
    scan abc
    scan " 0"
    scan 99999999999999999999999
    scan 1.5
    scan
  `,
  "empty cursors": transcript`
    hset h f v
    scan ""
    hscan h ""
  `,
  "cursors in the notation of C": transcript`
    scan -1
    scan +1
    scan -18446744073709551615
    scan 18446744073709551615
    scan 18446744073709551616
    scan -18446744073709551616
    scan 1e3
    scan 0x10
    scan "1 "
    scan "\t1"
    scan +
    scan -
    scan +-1
    scan 00000000000000000000000000000000000000
    scan "0\x00abc"
    hset h f v
    hscan h -1
    hscan h +0
    hscan h 00
    hscan h 18446744073709551615
    hscan h 18446744073709551616
    hscan h 1e3
    hscan h " 1"
    hscan h "1\x00abc"
    hscan h -
    hscan absent -1
    scan 0000
    scan -0
    scan +0
  `,
  "deadlines of more than 53 bits": transcript`
    set z 1 px 9007199254740991
    pttl z
    ttl z
    expire z 281474976710655
    pttl z
    set z 1 pxat 281474976710656
    pexpiretime z
    pexpireat z 9007199254740991
    pexpiretime z
    expireat z 9007199254740
    pexpiretime z
    expiretime z
    set z 1 pxat 9223372036854775807
    pexpiretime z
    expiretime z
    exists z
    set z 1 exat 9223372036854775
    set z 1 exat 9223372036854776
    set z 1 ex 9223372036854775
    set z 1 px 9223372036854775807
    set z 1 pxat 9223372036854775808
    set z 1 pxat -9223372036854775808
    setex z 281474976710655 1
    setex z 9223372036854775 1
    psetex z 9007199254740991 1
    psetex z 9223372036854775807 1
    getex z ex 281474976710655
    getex z px 9223372036854775807
    getex z pxat 9223372036854775807
    getex z exat 9223372036854776
    pttl z
    pexpire z 9223372036854775807
    pexpire z 9007199254740993
    expire z 9223372036854775
    expire z 9223372036854776
    expire z -9223372036854776
    expireat z 9223372036854775
    expireat z 9223372036854775 gt
    pexpireat z 4102444800000 gt
    pexpireat z 9223372036854700000 lt
    pexpireat z 9223372036854775807 gt
    pexpireat z 9223372036854775807 nx
    pexpireat z 9007199254740991 lt
    pexpireat z 9223372036854775807 lt
    pexpiretime z
    pexpire z -9223372036854775808
    exists z
    set z 1
    expire z -9223372036854775
    exists z
    set z 1
    expireat z -9223372036854776
    pexpireat z -9223372036854775808 xx
    pexpireat z -9223372036854775808 lt
    exists z
    copy z y
    set z 1 pxat 9007199254740993
    copy z y
    rename z x
    persist y
    ttl y
  `,
  "keys and fields that are too long": transcript`
    set ${LONGEST} v
    get ${LONGEST}
    hset h ${LONGEST} v
    hget h ${LONGEST}
    del ${LONGEST} h
    set ${LONGEST + "x"} v
    get ${LONGEST + "x"}
    del ${LONGEST + "x"}
    hset h ${LONGEST + "x"} v
    hget h ${LONGEST + "x"}
  `,
  "randomkey, dbsize and flush": transcript`
    randomkey
    set k v
    randomkey
    mset a 1 b 2
    randomkey
    randomkey extra
    dbsize
    flushdb
    dbsize
    set k v
    flushall
    dbsize
    set k v
    flushdb ASYNC
    dbsize
    set k v
    flushall sync
    dbsize
    flushdb foo
    flushall async sync
    flushall foo
    randomkey
  `,
  "object": transcript`
    set k 1
    object refcount k
    object freq k
    object encoding absent
    object refcount absent
    object idletime absent
    object freq absent
    object
    object encoding
    object encoding k extra
    object foo k
    object help
    OBJECT ENCODING k
    rpush l a
    object refcount l
    memory usage k
    memory usage absent
    memory usage k samples 0
    memory usage l samples 5
    memory usage k samples abc
    memory usage k samples
    memory usage k samples -1
    memory usage k foo
    memory usage
    memory foo
    memory
  `,
  "idle times": transcript`
    object idletime absent
    set k 1
    object idletime k
  `,
  "keys that have expired": transcript`
    set a 1 PX 20
    set b 2 PX 20
    rpush c x
    pexpire c 20
    hset d f v
    pexpire d 20
    :sleep 40
    get a
    exists a b c d
    incr a
    ttl a
    lpush c y
    lrange c 0 -1
    hset d g w
    hgetall d
    renamenx a b
    set e 1 PX 20
    set f 2
    :sleep 40
    keys e
    rename e f
    copy e g
    scan 0 match e count 1000
    type e
    object encoding e
    persist e
    expire e 10
    getset e 1
    ttl e
  `,
});
