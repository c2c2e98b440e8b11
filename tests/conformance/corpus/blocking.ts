/** Commands that block. */

import { type Group, group, transcript } from "../transcript.ts";

/** Scenarios about blocking commands. */
export const BLOCKING: Group = group("blocking", {
  "pops that need not wait": transcript`
    rpush l a b c
    blpop l 1
    brpop l 1
    blpop absent l 1
    rpush l a b
    rpush m x
    blpop m l 0
    brpop l m 0
    blmove l d left right 1
    rpush l a
    blmove l d LEFT RIGHT 0
    brpoplpush d l 0
    lrange l 0 -1
    rpush l a b c
  `,
  "wrong calls": transcript`
    blpop
    blpop l
    blpop l abc
    blpop l -1
    blpop l ""
    blpop l nan
    brpop l
    brpop l abc
    brpop l -1
    blmove l d left right
    blmove l d up right 1
    blmove l d left down 1
    blmove l d left right abc
    blmove l d left right -1
    blmove
    brpoplpush l d
    brpoplpush l d abc
    brpoplpush l d -1
    set s v
    blpop s l 1
    rpush l a
    blpop s l 1
    blpop l s 1
    blmove l s left left 0.01
    rpush l a
    blmove l s left left 1
    lrange l 0 -1
  `,
  "timeouts that are too long": transcript`
    a> blpop l 1e400
    b> blpop l inf
    c> blpop l 9223372036854775807
    d> blpop l 9223372036854776
  `,
  "timeouts in the notation of C": transcript`
    rpush l a b c d e f g
    blpop l 0x1
    blpop l -0
    blpop l -0.0001
    blpop l 9223372036854775.8
    blpop l 1e-400
    blpop l 0X1p-4
    blpop l 1e5000
    blpop l 0x
    blpop l 1f
    blpop l -0x1
    blpop l 0x1p63
    blpop absent 0x.08
    lrange l 0 -1
  `,
  "timeouts that expire": transcript`
    blpop l 0.01
    brpop l m 0.01
    blmove l d left right 0.01
    brpoplpush l d 0.01
    blpop l 0.001
    blpop l 1e-3
    set after 1
    get after
  `,
  "a push wakes waiting clients": transcript`
    a> blpop l 0 => blocked
    b> rpush l x y z
    a> :read 1
    b> lrange l 0 -1
    b> del l
    a> brpop k l 5 => blocked
    b> lpush l 1 2
    a> :read 1
    b> lrange l 0 -1
    b> del l
    a> blmove src dst left right 0 => blocked
    b> rpush src moved
    a> :read 1
    b> lrange dst 0 -1
    b> exists src
    a> brpoplpush src dst 0 => blocked
    b> rpush src again
    a> :read 1
    b> lrange dst 0 -1
  `,
  "the client that waits longest is served first": transcript`
    a> blpop l 0 => blocked
    b> brpop l 0 => blocked
    c> blpop l 0 => blocked
    d> rpush l one
    a> :read 1
    d> rpush l two three
    b> :read 1
    c> :read 1
    d> exists l
  `,
  "a client that waits for several keys is served once": transcript`
    a> blpop x y z 0 => blocked
    b> :raw "*3\r\n$5\r\nRPUSH\r\n$1\r\nz\r\n$1\r\n1\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\ny\r\n$1\r\n2\r\n" => 2
    a> :read 1
    b> lrange y 0 -1
    b> exists z
    a> blpop x y z 0
  `,
  "several pushes of one transaction": transcript`
    a> blpop x y 0 => blocked
    b> multi
    b> rpush y 1
    b> rpush x 2
    b> lpush x 3
    b> exec
    a> :read 1
    b> lrange x 0 -1
    b> lrange y 0 -1
    a> blpop gone 0 => blocked
    b> multi
    b> rpush gone 1
    b> del gone
    b> exec
    b> rpush gone 2
    a> :read 1
  `,
  "a key of another type does not wake": transcript`
    a> blpop l 0 => blocked
    b> set l string
    b> del l
    b> hset l f v
    b> del l
    b> rpush l at-last
    a> :read 1
  `,
  "a key whose type changes in a transaction does not end a wait": transcript`
    a> blpop l m 0 => blocked
    b> multi
    b> rpush l x
    b> set l string
    b> exec
    b> multi
    b> del l
    b> rpush l y
    b> del l
    b> hset l f v
    b> rpush m z
    b> exec
    a> :read 1
    b> type l
    b> exists m
    a> blmove src dst left right 0 => blocked
    b> multi
    b> rpush src x
    b> set src string
    b> exec
    b> del src
    b> rpush src y
    a> :read 1
    a> brpoplpush src dst 0 => blocked
    b> multi
    b> rpush src x
    b> set dst string
    b> exec
    a> :read 1
    b> lrange src 0 -1
  `,
  "rename, copy and lmove wake as well": transcript`
    a> blpop l 0 => blocked
    b> rpush other x
    b> rename other l
    a> :read 1
    a> blpop l 0 => blocked
    b> rpush other y
    b> copy other l
    a> :read 1
    b> exists l other
    a> blpop l 0 => blocked
    b> lmove other l left left
    a> :read 1
    a> blpop l 0 => blocked
    b> rpush other z
    b> renamenx other l
    a> :read 1
    b> dbsize
  `,
  "moves in a chain": transcript`
    a> blmove one two left right 0 => blocked
    b> blmove two three left right 0 => blocked
    c> blpop three 0 => blocked
    d> rpush one traveller
    a> :read 1
    b> :read 1
    c> :read 1
    d> dbsize
  `,
  "blmove towards another type": transcript`
    a> blmove src dst left right 0 => blocked
    b> set dst string
    b> rpush src x
    a> :read 1
    b> lrange src 0 -1
    a> brpoplpush other other 0 => blocked
    b> rpush other 1 2
    a> :read 1
    b> lrange other 0 -1
  `,
  "blocking commands in a transaction do not wait": transcript`
    multi
    blpop l 0
    brpop l 0
    blmove l d left right 0
    brpoplpush l d 0
    exec
    rpush l a
    multi
    blpop l 0
    blpop l 0
    exec
  `,
  "requests after a blocking one run when it has ended": transcript`
    a> blpop l 0 | set k v | get k => blocked
    b> get k
    b> rpush l x
    a> :read 3
    a> blpop l 0.01 | ping
  `,
  "a client that disconnects takes no element": transcript`
    a> blpop l 0 => blocked
    a> :end
    b> blpop l 0.05
    b> rpush l x
    b> lrange l 0 -1
  `,
  "client unblock": transcript`
    a> client id
    b> client unblock 999999
    b> client unblock abc
    b> client unblock
    b> client unblock 999999 foo
    b> client unblock 999999 timeout
    b> client unblock 999999 error
  `,
  "a client whose timeout has expired is not served later": transcript`
    a> blpop l 0.03 => blocked
    a> :read 1
    b> rpush l x
    b> llen l
    a> blpop l 0.03
    a> ping
  `,
});
