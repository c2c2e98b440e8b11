/** Connections, and what a server reports about itself. */

import { type Group, group, transcript } from "../transcript.ts";

/** Scenarios about connections. */
export const CONNECTIONS: Group = group("connections", {
  "hello": transcript`
    hello
    hello 2
    hget absent f
    hello 3
    hget absent f
    hgetall absent
    hello
    hello 2
    hello 4
    hello 1
    hello 0
    hello abc
    hello -1
    hello ""
    hello 3 setname name
    client getname
    hello 3 SETNAME "with blank"
    hello 3 setname
    hello 3 foo
    hello 3 auth
    hello 3 auth user
    hello 3 auth default
    hello 2 auth default secret
    hello 2 auth nobody secret
    hello 2 setname other auth default secret
    client getname
    hello 2 auth default secret setname third
    client getname
    hello 3 auth default
    hello foo bar
    hget absent f
  `,
  "auth without a password": transcript`
    auth
    auth secret
    auth default secret
    auth nobody secret
    auth default ""
    auth ""
    auth a b c
    ping
  `,
  "select": transcript`
    select 0
    select
    select 0 0
    SELECT 0
    b> select 1a
    b> :end
    c> select -1
    c> :end
    d> select 99
    d> :end
    e> select abc
    e> :end
    f> select ""
    f> :end
    g> select 9223372036854775808
    g> :end
    h> select 00
    h> :end
  `,
  "quit": transcript`
    set k v
    quit => closed
    b> get k
    b> quit extra => closed
    c> set k w | quit | set k x => closed
    d> get k
  `,
  "reset": transcript`
    client setname name
    multi
    set k v
    reset
    exec
    client getname
    get k
    watch k
    reset
    subscribe c
    reset
    get k
    hello 3
    reset
    hget absent f
    reset extra
  `,
  "client names": transcript`
    client getname
    client setname name
    client getname
    client setname ""
    client getname
    client setname "with blank"
    client setname "line\n"
    client setname "\xff"
    client getname
    client setname
    client setname a b
    client getname extra
    CLIENT SETNAME Upper
    client getname
  `,
  "client": transcript`
    client
    client foo
    client foo bar
    client id
    client id extra
    client info
    client list
    client list type normal
    client list type pubsub
    client list type foo
    client list type
    client list id
    client list id abc
    client list id 999999
    client list foo
    client kill
    client kill 127.0.0.1:1
    client kill id 999999
    client kill id abc
    client kill id
    client kill id 0
    client kill type foo
    client kill addr 127.0.0.1:1
    client kill foo bar
    client kill skipme foo
    client kill id 999999 skipme no
    client kill type pubsub
    client kill user nobody
    client kill addr 127.0.0.1:1 laddr 127.0.0.1:1
    client no-evict on
    client no-evict off
    client no-evict foo
    client no-evict
    client getredir
    client help
  `,
  "client list in several states": transcript`
    a> client setname first
    b> client setname second
    b> subscribe c d => 2
    c> multi
    c> get k
    d> blpop l 0 => blocked
    a> client list
    a> client list type normal
    a> client list type pubsub
    a> rpush l x
    d> :read 1
    a> client info
    c> exec
    b> unsubscribe c d => 2
  `,
  "config": transcript`
    config get maxmemory-policy
    config get absent
    config get
    config get save
    config get databases
    config get timeout
    config get "max-nothing*"
    config get absent other
    config
    config foo
    config foo bar
    config set
    config set absent
    config set absent value
    config set absent value other
    config resetstat
    config resetstat extra
    config rewrite extra
    config help
  `,
  "time and debug": transcript`
    time
    time extra
    debug sleep 0
    debug sleep 0.01
    debug
    debug foo
    debug sleep
    info
    info server
    info foo
    info server clients
    info everything
    info commandstats
  `,
  "command": transcript`
    command
    command count
    command count extra
    command info get
    command info set del mget mset incr lpush hset
    command info foo
    command info get foo set
    command info
    command docs get
    command docs foo
    command list
    command list filterby module foo
    command list filterby pattern nothing*
    command list filterby pattern strle?
    command list filterby aclcat foo
    command list foo
    command list filterby
    command list filterby foo bar
    command getkeys get k
    command getkeys set k v
    command getkeys mget a b c
    command getkeys mset a 1 b 2
    command getkeys del a
    command getkeys blpop a b 0
    command getkeys rename a b
    command getkeys object encoding k
    command getkeys memory usage k
    command getkeys ping
    command getkeys get
    command getkeys foo a
    command getkeys
    command foo
    command foo bar
  `,
  "command info of many": transcript`
    command info strlen append getrange setrange getset getex getdel setnx setex psetex msetnx
    command info incrby incrbyfloat decr decrby
    command info llen lindex linsert lrem ltrim lpos lmove lpushx rpushx blpop brpop rpop lpop lrange lset rpoplpush
    command info hget hsetnx hincrby hincrbyfloat hstrlen hrandfield hscan hmset hmget hgetall hkeys hvals hlen hexists hdel
    command info unlink touch copy randomkey expire pexpire expireat pexpireat expiretime pexpiretime pttl persist
    command info exists type keys scan dbsize flushall flushdb
    command info time command client debug info bgsave bgrewriteaof lastsave
    command info multi exec discard watch unwatch select reset quit hello auth ping echo
    command info subscribe unsubscribe psubscribe punsubscribe publish
  `,
  "command info of commands that differ": transcript`
    command info ttl
    command info rename renamenx
    command info smove
    command info object
    command info memory
    command info config
    command info save
    command info pubsub
    command info swapdb
  `,
  "bytes in error texts": transcript`
    foo "\xff"
    foo "a\x00b"
    "\x00"
  `,
  "unknown commands": transcript`
    foo
    foo bar
    foo bar baz ""
    FOO Bar
    foo "it's" "\r\n"
    ${"x".repeat(200)} arg
    foo ${"y".repeat(200)}
    foo ${"a".repeat(60)} ${"b".repeat(60)} ${"c".repeat(60)}
    ""
    "" arg
    "get\r\n"
    ge
    gett k
    "get " k
    foo 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55
    get|foo
    config|get
    ${"z".repeat(300_000)}
    ping
  `,
  "saving": transcript`
    save
    lastsave
    bgrewriteaof
  `,
  "wrong calls of other commands": transcript`
    save extra more
    bgsave extra
    bgsave schedule more
    bgrewriteaof extra
    lastsave extra
    swapdb 0
    swapdb 0 abc
    swapdb 0 99
    swapdb 99 abc
    swapdb 99 0
    swapdb abc 99
    swapdb "" 0
    client list id 9223372036854775807
    client list id 9223372036854775808
    client kill id 9223372036854775807
    client kill id 9223372036854775808
    client unblock 5 timeout extra
    config get DATABASES databases
    config get databases DATABASES
  `,
});
