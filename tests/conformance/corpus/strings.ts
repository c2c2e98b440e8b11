/** Strings and numbers. */

import { type Group, group, transcript } from "../transcript.ts";

const LONG = "0123456789".repeat(10_000);

/** Scenarios about strings. */
export const STRINGS: Group = group("strings", {
  "get and set": transcript`
    get k
    set k v
    get k
    set k ""
    get k
    set "" empty
    get ""
    set "bin\x00\xff\r\n" "\x00\x01\xfe\xff\r\n"
    get "bin\x00\xff\r\n"
    SET Upper Case
    GeT Upper
    get upper
    get
    get a b
    set
    set k
    set k v extra
    set long ${LONG}
    get long
    strlen long
    rpush list a
    get list
    set list now-a-string
    get list
    hset hash f v
    get hash
  `,
  "set with options": transcript`
    set k v NX
    set k w NX
    get k
    set k w XX
    set absent v XX
    get absent
    set k x GET
    set fresh x GET
    get fresh
    set k y NX GET
    get k
    set k y XX GET
    set nothing y XX GET
    exists nothing
    set made y NX GET
    get made
    set k v NX XX
    set k v nx nx
    set k v GET GET
    set k v xx get
    set k v KEEPTTL
    rpush list a
    set list v GET
    type list
    set list v NX GET
    set list v
    set k v FOO
    set k v EX
    set k v PX
    set k v EXAT
    set k v NX EX
  `,
  "set with an expiry": transcript`
    set k v EX 100
    ttl k
    pttl k
    set k v
    ttl k
    set k v PX 100000
    ttl k
    set k w KEEPTTL
    ttl k
    get k
    set k v EXAT 33177117420
    expiretime k
    pexpiretime k
    set k v PXAT 33177117420123
    expiretime k
    pexpiretime k
    set k v EX 0
    set k v EX -1
    set k v PX 0
    set k v PX -5
    set k v EXAT 0
    set k v EXAT -1
    set k v PXAT 0
    set k v PXAT -1
    set k v EX abc
    set k v EX 1.5
    set k v EX ""
    set k v EX 9223372036854775807
    set k v EX 9223372036854775808
    set k v PX 9223372036854775807
    set k v EXAT 9223372036854775807
    set k v PX 99999999999999999999
    set k v EX 10 PX 10
    set k v EX 10 KEEPTTL
    set k v KEEPTTL EX 10
    set k v EX 10 EX 20
    set k v EX 10 NX
    set k v EX 10 XX
    set k v ex 200 xx get
    ttl k
    set k v EXAT 1
    exists k
    set k v PXAT 1
    get k
    dbsize
    set short v PX 20
    :sleep 40
    get short
    exists short
    ttl short
  `,
  "setnx, setex, psetex, getset, getdel": transcript`
    setnx k v
    setnx k w
    get k
    setnx k
    setnx
    setex k 100 v
    ttl k
    get k
    setex k 0 v
    setex k -1 v
    setex k abc v
    setex k 9223372036854775807 v
    setex k 10
    psetex k 100000 v
    pttl k
    psetex k 0 v
    psetex k -7 v
    psetex k abc v
    psetex k 9223372036854775807 v
    psetex k 10
    getset k new
    ttl k
    getset absent v
    get absent
    getset k
    rpush list a
    getset list v
    getdel k
    getdel k
    getdel list
    getdel
    getdel a b
    setnx list v
    setex list 10 v
    type list
    rpush other a
    psetex other 100000 v
    type other
  `,
  "getex": transcript`
    getex absent
    set k v
    getex k
    ttl k
    getex k EX 100
    ttl k
    getex k
    ttl k
    getex k PERSIST
    ttl k
    getex k PX 100000
    ttl k
    getex k EXAT 33177117420
    expiretime k
    getex k PXAT 33177117420123
    pexpiretime k
    getex k EX 0
    getex k EX -1
    getex k PX 0
    getex k EX abc
    getex k EX
    getex k EX 10 PX 10
    getex k EX 10 PERSIST
    getex k PERSIST EX 10
    getex k PERSIST PERSIST
    getex k KEEPTTL
    getex k NX
    getex k FOO
    getex k EX 9223372036854775807
    getex absent EX 10
    getex absent FOO
    getex absent EX 0
    getex k EXAT 1
    exists k
    set k v
    getex k PXAT 1
    get k
    getex
    rpush list a
    getex list
    getex list EX 10
    ttl list
  `,
  "mset and mget": transcript`
    mset a 1 b 2 c 3
    mget a b c
    mget a absent a
    mget absent
    mget
    mset
    mset a
    mset a 1 b
    mset a 1 a 2
    get a
    msetnx a x d y
    mget a d
    msetnx d 1 e 2
    mget d e
    msetnx d
    msetnx d 1 e
    msetnx
    msetnx z 1 z 2
    get z
    rpush list x
    mget a list b
    mset list v
    type list
    hset hash f v
    msetnx hash v other w
    exists other
    mset "" empty "\x00" nul
    mget "" "\x00"
  `,
  "append and strlen": transcript`
    append k hello
    append k " world"
    get k
    strlen k
    strlen absent
    append k ""
    append fresh ""
    exists fresh
    get fresh
    append k "\x00\xff"
    get k
    append k
    append
    strlen
    strlen a b
    rpush list a
    append list x
    strlen list
    set n 10
    append n 5
    incr n
    set t v EX 100
    append t w
    ttl t
    append k ${LONG}
    strlen k
  `,
  "getrange, substr and setrange": transcript`
    set k "This is a string"
    getrange k 0 3
    getrange k -3 -1
    getrange k 0 -1
    getrange k 10 100
    getrange k 5 3
    getrange k 100 200
    getrange k -100 3
    getrange k -1 -5
    getrange k -100 -90
    getrange k 0 0
    getrange k -1 0
    getrange absent 0 -1
    substr k 0 3
    substr k -3 -1
    substr k 0 x
    substr k 0
    getrange k a 1
    getrange k 0 b
    getrange k 0 1.5
    getrange k 0 9223372036854775807
    getrange k -9223372036854775808 9223372036854775807
    getrange k 0 9223372036854775808
    getrange k 0
    getrange k
    rpush list a
    getrange list 0 1
    set n 12345
    getrange n 1 3
    setrange k 10 "STRING"
    get k
    setrange k 0 ""
    setrange absent 0 ""
    exists absent
    setrange absent 5 ""
    exists absent
    setrange pad 5 abc
    get pad
    setrange pad 6 XYZ
    get pad
    setrange pad 20 end
    get pad
    setrange pad -1 x
    setrange pad abc x
    setrange absent -1 ""
    setrange pad 536870912 x
    setrange pad 9223372036854775807 x
    setrange pad 5
    setrange pad
    setrange list 0 x
    setrange list 0 ""
    setrange n 2 00
    get n
    incr n
    set t v EX 100
    setrange t 3 x
    ttl t
    get t
  `,
  "incr and decr": transcript`
    incr n
    incr n
    decr n
    get n
    incrby n 10
    incrby n -20
    decrby n 5
    decrby n -15
    get n
    decr fresh
    decrby fresher 3
    incrby freshest -3
    set n 9223372036854775807
    incr n
    incrby n 1
    incrby n -1
    decr n
    decrby n -9223372036854775808
    set n -9223372036854775808
    decr n
    decrby n 1
    incrby n -1
    incr n
    incrby n 9223372036854775807
    get n
    set n abc
    incr n
    decr n
    incrby n 1
    set n 1.5
    incr n
    set n ""
    incr n
    set n " 1"
    incr n
    set n "1 "
    incr n
    set n 01
    incr n
    set n +1
    incr n
    set n -0
    incr n
    set n 9223372036854775808
    incr n
    set n -
    incr n
    set n "1\x00"
    incr n
    set n 5
    incrby n abc
    incrby n 1.5
    incrby n ""
    incrby n 9223372036854775808
    incrby n 99999999999999999999999999
    incrby n +5
    incrby n 05
    decrby n abc
    decrby n -9223372036854775808
    decrby n 9223372036854775808
    incr
    incr a b
    incrby n
    incrby
    decrby n
    decr
    rpush list 1
    incr list
    decrby list 1
    set t 1 EX 100
    incr t
    ttl t
    get t
    strlen t
  `,
  "incrbyfloat": transcript`
    incrbyfloat f 10.5
    incrbyfloat f 0.1
    incrbyfloat f -5
    incrbyfloat f 5.0e3
    incrbyfloat f 0
    get f
    set f 3
    incrbyfloat f 1.1
    set f 3.0e3
    incrbyfloat f 200
    set f 10.50
    incrbyfloat f 0.10
    incrbyfloat fresh 0
    incrbyfloat fresher 1e-5
    incrbyfloat fresher 1e-17
    incrbyfloat big 1e20
    incrbyfloat big 1
    incrbyfloat tenth 0.1
    incrbyfloat tenth 0.2
    incrbyfloat third 0.3333333333333333
    incrbyfloat f abc
    incrbyfloat f ""
    incrbyfloat f " 1"
    incrbyfloat f "1 "
    incrbyfloat f nan
    incrbyfloat f inf
    incrbyfloat f -inf
    incrbyfloat f infinity
    incrbyfloat f 0x10
    incrbyfloat f .5
    incrbyfloat f 5.
    incrbyfloat f +1
    incrbyfloat f 1e
    set f abc
    incrbyfloat f 1
    set f ""
    incrbyfloat f 1
    set f " 1"
    incrbyfloat f 1
    set f 5
    incrbyfloat f
    incrbyfloat
    rpush list 1
    incrbyfloat list 1
    set t 1 EX 100
    incrbyfloat t 1.5
    ttl t
    set i 10
    incrbyfloat i 2
    incr i
    incrbyfloat i 0.5
    incr i
    incrbyfloat neg -0.0
    incrbyfloat neg -1.5
    incrbyfloat neg 1.5
  `,
  "object encoding of strings": transcript`
    set k 123
    object encoding k
    set k abc
    object encoding k
    set k 0123456789012345678901234567890123456789012
    object encoding k
    set k 012345678901234567890123456789012345678901234
    object encoding k
    set k 01234567890123456789012345678901234567890123
    object encoding k
    set k 9223372036854775807
    object encoding k
    set k 9223372036854775808
    object encoding k
    set k 007
    object encoding k
    set k -5
    object encoding k
    set k ""
    object encoding k
    incr n
    object encoding n
    set l ${LONG}
    object encoding l
  `,
  "strings that look like numbers after `append`": transcript`
    set k 1
    append k 2
    object encoding k
  `,
  "strings of a megabyte": transcript`
    set k ${LONG.repeat(10)}
    get k
    append k ${LONG}
    strlen k
    getrange k 1000000 1000010
    getrange k -10 -1
    setrange k 500000 CHANGED
    getrange k 499995 500010
    getset k short
    get k
    mset a ${LONG.repeat(10)} b ${LONG} c ${LONG.repeat(3)}
    mget a b c a
    getdel a
  `,
  "echo and ping": transcript`
    echo hello
    echo ""
    echo "\x00\xff\r\n"
    echo ${LONG}
    echo
    echo a b
    ping
    ping hello
    ping ""
    ping "\r\n"
    ping a b
    PING
    PiNg HeLLo
  `,
});
