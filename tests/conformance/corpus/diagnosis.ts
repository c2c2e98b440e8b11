/** Commands with which operators look at a server, and hold back its clients. */

import { type Group, group, transcript } from "../transcript.ts";

/** Scenarios about diagnosis. */
export const DIAGNOSIS: Group = group("diagnosis", {
  "role and module": transcript`
    role
    role extra
    ROLE
    module list
    module LIST
    module list extra
    module
    module foo
    module help
    multi
    role
    module list
    exec
    command info role
  `,
  "client pause and unpause": transcript`
    client pause
    client pause x
    client pause -1
    client pause 1.5
    client pause 10 foo
    client pause 10 write x
    client pause 9999999999999999999
    client unpause
    client unpause extra
    client pause 0
    client pause 60000 write
    b> get k
    b> ping
    b> nosuch
    b> set k
    b> set k v => blocked
    client unblock 1
    get k
    client unpause
    b> :read 1
    get k
    client pause 60000 WRITE
    client pause 1 write
    b> publish c m => blocked
    client unpause
    b> :read 1
  `,
  "client pause and transactions": transcript`
    multi
    set k v
    b> client pause 60000 write
    exec => blocked
    b> multi
    b> get k
    b> exec
    b> client unpause
    :read 1
    b> client pause 60000 write
    multi
    get k
    set k w => blocked
    b> client unpause
    :read 1
    exec
  `,
  "client pause and commands that wait": transcript`
    blpop l 0 => blocked
    b> client pause 60000 write
    c> rpush l x => blocked
    d> blpop l 0 => blocked
    b> client unpause
    :read 1
    c> :read 1
    b> rpush l y
    d> :read 1
  `,
  "client pause and messages": transcript`
    subscribe c
    b> client pause 60000 write
    ping
    b> client unpause
    b> publish c m
    :read 1
  `,
  "client pause of all commands ends": transcript`
    client pause 50 all
    ping
    client pause 50
    b> get k
    set k v
  `,
  "client reply": transcript`
    client reply
    client reply foo
    client reply on x
    client reply on
    client reply ON
    client reply off | ping | get k | client reply on => 1
    ping
    client reply off | nosuch | get | client reply skip | ping | client reply on => 1
    client reply skip | ping | get k => 1
    client reply skip | client reply skip | ping | echo b => 1
    client reply skip | client reply on => 1
    client reply skip | nosuch | echo c => 1
    client reply off | multi | set k v | exec | client reply on | get k => 2
    client reply skip | multi | set k w | exec => 2
    client reply skip | set k ${"x".repeat(100_000)} | strlen k => 1
    client reply skip | get k | echo d => 1
    client reply off | reset | ping => 2
  `,
  "client reply and messages": transcript`
    client reply off | subscribe c | unsubscribe c => 2
    client reply on
    client reply skip | subscribe c => 1
    b> publish c m
    :read 1
    unsubscribe
    client reply skip | publish c m | ping => 1
  `,
  "client filters that 7.0 knows": transcript`
    client list type normal
    client list id 999999 999998
    client list id 1 abc
    client list type
    client list id
    client kill type pubsub skipme yes
    client kill addr 127.0.0.1:1 laddr 127.0.0.1:1 type normal user default
    client kill id 999999 id 999998
    client kill id 1 abc
    client kill type pubsub skipme
    client kill skipme no id 999999
  `,
  "slowlog": transcript`
    config get slowlog*
    config get latency-monitor-threshold
    # On a busy machine any command may take 10 ms.
    config set slowlog-log-slower-than 10000000
    slowlog get abc
    slowlog get -2
    slowlog get 1.5
    slowlog get 1 2
    slowlog len extra
    slowlog reset extra
    slowlog
    slowlog foo
    slowlog help
    slowlog reset
    slowlog get
    slowlog len
    config set slowlog-log-slower-than abc
    config set slowlog-max-len abc
    config set slowlog-max-len 5 latency-monitor-threshold x
    config get slowlog-max-len
    config set slowlog-log-slower-than 0
    slowlog reset
    set k ${"x".repeat(300)}
    get k
    GET absent
    incr k
    lpush k a
    mget ${"a"} b c
    client setname bob
    multi
    set a 1
    get a
    exec
    get
    nosuch a b
    auth secret
    hello 2 auth nobody secret setname other
    mset ${"y".repeat(128)} ${"z".repeat(129)} c ""
    slowlog get 100
    slowlog get 2
    slowlog get 0
    slowlog get
    config set slowlog-max-len 3
    slowlog len
    slowlog get -1
    config set slowlog-max-len 0
    slowlog len
    config set slowlog-max-len 128 slowlog-log-slower-than -1
    slowlog reset
    get k
    slowlog len
    config set slowlog-log-slower-than 10000
    debug sleep 0.02
    slowlog get 1
    slowlog reset
  `,
  "latency": transcript`
    latency
    latency foo
    latency help
    latency latest
    latency latest extra
    latency history
    latency history nothing
    latency history a b
    latency graph nothing
    latency graph
    latency reset
    latency reset nothing
    latency reset nothing command
    latency doctor extra
    config set latency-monitor-threshold 50
    debug sleep 0.06
    latency history command
    latency history COMMAND
    latency reset command
    latency history command
    debug sleep 0.06
    latency reset command command
    config set latency-monitor-threshold 0
    debug sleep 0.02
    latency history command
    latency histogram nothing
    config resetstat
    set k v
    get k
    get k
    latency histogram get set
    latency histogram GET
    latency histogram get nothing
  `,
  "monitor": transcript`
    b> client id
    monitor
    b> set k "a\x00\r\n\t\\\"\xff b"
    b> client setname bob
    b> auth default wrong
    b> hello 2 auth default secret
    b> config get timeout
    b> get
    b> nosuch
    b> multi
    b> incr n
    b> get k
    b> exec
    b> client kill id 999999
    b> debug sleep 0
    b> slowlog get 0
    b> publish c m
    b> lpush k a
    :read 10
    get k
    set k v
    dbsize
    publish c m
    client getname
    :read 1
    reset
    get k
    c> multi
    c> monitor
    c> exec
    monitor extra
  `,
});
