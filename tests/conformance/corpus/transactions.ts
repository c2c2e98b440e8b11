/** Transactions. */

import { type Group, group, transcript } from "../transcript.ts";
import { WATCH_STEPS } from "../watch_matrix.ts";

/** Scenarios about transactions. */
export const TRANSACTIONS: Group = group("transactions", {
  "multi and exec": transcript`
    multi
    set k 1
    incr k
    get k
    rpush l a b
    lrange l 0 -1
    hset h f v
    hgetall h
    get absent
    lpop absent
    lpop absent 2
    mget k absent
    ttl k
    ping
    ping text
    echo text
    exec
    get k
    multi
    exec
    exec
    discard
    multi
    multi
    set a 1
    exec
    multi extra
    discard extra
    multi
    exec extra
    exec
  `,
  "exec with arguments where there is no transaction": transcript`
    exec extra
  `,
  "discard": transcript`
    set k before
    multi
    set k after
    discard
    get k
    discard
    multi
    discard
    exec
  `,
  "errors while queueing": transcript`
    set k before
    multi
    set k after
    foo
    exec
    get k
    multi
    set k
    set k after
    exec
    get k
    multi
    get
    discard
    multi
    get k
    exec
    multi
    client foo
    exec
    multi
    object foo k
    exec
    multi
    watch k
    get k
    exec
    multi
    subscribe
    exec
  `,
  "errors while running": transcript`
    set s string
    multi
    set k 1
    lpush s x
    incr s
    hset s f v
    set k 2
    expire k abc
    exec
    get k
  `,
  "watch": transcript`
    a> set k 1
    a> watch k
    a> multi
    a> set k 2
    a> exec
    a> watch k
    b> set k changed
    a> multi
    a> set k 3
    a> exec
    a> get k
    a> multi
    a> set k 3
    a> exec
    a> watch k
    a> set k mine
    a> multi
    a> get k
    a> exec
    a> watch k
    b> set k changed
    a> unwatch
    a> multi
    a> get k
    a> exec
    a> watch k
    b> set k changed
    a> multi
    a> discard
    a> multi
    a> get k
    a> exec
    a> watch
    a> watch k l absent
    b> set other 1
    a> multi
    a> get other
    a> exec
    a> watch k l absent
    b> set absent 1
    a> multi
    a> get absent
    a> exec
    a> unwatch extra
    a> unwatch
  `,
  "watch and changes of all kinds": transcript`
    a> rpush l x
    a> watch l
    b> rpush l y
    a> multi
    a> exec
    a> watch l
    b> lrange l 0 -1
    a> multi
    a> exec
    a> watch l
    b> del l
    a> multi
    a> exec
    a> watch l
    b> del l
    a> multi
    a> exec
    a> watch l
    b> flushall
    a> multi
    a> exec
    a> set k v
    a> watch k
    b> flushall
    a> multi
    a> exec
    a> set k v
    a> watch k
    b> expire k 100
    a> multi
    a> exec
    a> watch k
    b> persist k
    a> multi
    a> exec
    a> watch k
    b> set k v XX GET
    a> multi
    a> exec
    a> watch k
    b> rename k other
    a> multi
    a> exec
    a> watch target
    b> rename other target
    a> multi
    a> exec
    a> hset h f 1
    a> watch h
    b> hincrby h f 1
    a> multi
    a> exec
    a> watch h
    b> hdel h absent
    a> multi
    a> exec
    a> watch h
    b> hset h f 2
    a> multi
    a> exec
    a> watch n
    b> lpushx n 1
    a> multi
    a> exec
    a> watch n
    b> setnx n 1
    a> multi
    a> exec
    a> watch n
    b> setnx n 2
    a> multi
    a> exec
    a> watch n
    b> append n ""
    a> multi
    a> exec
    a> watch n
    b> setrange n 0 x
    a> multi
    a> exec
    a> watch n
    b> getdel n
    a> multi
    a> exec
  `,
  "a watched key of a command that changed another key": transcript`
    set a 1
    watch absent
    b> del a absent
    multi
    exec
  `,
  "watched keys that expire": transcript`
    set k v PX 20
    watch k
    :sleep 40
    multi
    get k
    exec
    set k v PX 20
    :sleep 40
    watch k
    multi
    get k
    exec
    set k v PX 10000
    watch k
    multi
    get k
    exec
  `,
  "an aborted transaction with a watched key": transcript`
    a> watch k
    b> set k v
    a> multi
    a> foo
    a> exec
    a> multi
    a> get k
    a> exec
  `,
  "in one write": transcript`
    multi | set k 1 | incr k | exec
    multi | set k | exec
    multi | set k 1 | discard | get k
    watch k | multi | get k | exec
    multi | ping | quit => closed
  `,
  "commands about the connection in a transaction": transcript`
    multi
    select 0
    client getname
    client setname name
    client getname
    unwatch
    dbsize
    type k
    flushall
    exec
    multi
    get k
    reset
    get k
    multi
    publish c m
    keys *
    scan 0
    exec
  `,
  "pub/sub in a transaction": transcript`
    multi
    subscribe c
    exec => 1
    unsubscribe c
    multi
    unsubscribe
    ping
    exec
  `,
  "writes that change nothing, and watched keys": WATCH_STEPS,
  "queued commands that lack an argument": transcript`
    multi
    mset a 0 q
    set a 1
    exec
    get a
    multi
    msetnx a 0 q
    exec
    msetnx a 0 q
    mset a 0 q
    multi
    set b 1
    mset c
    exec
    exists b
  `,
  "commands on the connection in a transaction": transcript`
    multi
    client getname
    client setname name
    set k v
    client getname
    get k
    exec
    client getname
    multi
    auth pw
    auth default any
    incr k
    client setname "a b"
    exec
    multi
    swapdb 0 0
    config get databases
    command getkeys get k
    client no-evict on
    client no-evict off
    exec
    multi
    client nosuch
    client getname
    exec
    multi
    client setname never
    nosuch
    exec
    multi
    client setname never
    discard
    client getname
    watch k
    b> set k changed
    multi
    client setname never
    client getname
    get k
    exec
    client getname
    watch k
    multi
    get k
    client setname kept
    exec
    client getname
    multi | client getname | get k | client setname x | exec | client getname
    :raw "multi\r\nclient getname\r\nget k\r\nclient setname \"y\"\r\nexec\r\nclient getname\r\n" => 6
  `,
  "hello in a transaction": transcript`
    hset h f v
    multi
    hgetall h
    hello 3
    hgetall h
    get absent
    hello 2
    hgetall h
    get absent
    exec
    hgetall h
    multi
    hello 3
    exec
    hgetall h
    get absent
    multi
    hello 2 setname me
    client getname
    hgetall h
    exec
    client getname
    get absent
    multi
    hello 4
    hello x
    hello 3 setname "a b"
    hello 3 foo
    hgetall h
    exec
    hgetall h
    watch h
    b> hset h f w
    multi
    hello 3
    exec
    hgetall h
    watch h
    multi
    hello 3
    hgetall h
    exec
    get absent
    multi | hello 2 | hgetall h | exec | hgetall h | multi | hello 3 | hgetall h | exec | hgetall h
    multi
    hello 2
    nosuch
    exec
    hgetall h
    multi
    hello
    hgetall h
    exec
    multi
    hello 2
    discard
    hgetall h
    hello 2
  `,
  "subscriptions in a transaction": transcript`
    set k v
    multi
    get k
    subscribe c d
    ping
    get k
    psubscribe p*
    exec => 2
    unsubscribe => 2
    punsubscribe
    get k
    multi
    pubsub numpat
    pubsub numsub c
    unsubscribe absent
    exec
  `,
});
