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
});
