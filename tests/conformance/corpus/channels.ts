/** Publishing and subscribing. */

import { type Group, group, transcript } from "../transcript.ts";

/** Scenarios about channels. */
export const CHANNELS: Group = group("channels", {
  "subscribe and publish": transcript`
    b> publish c nobody
    a> subscribe c
    b> publish c hello
    a> :read 1
    b> publish c ""
    a> :read 1
    b> publish c "\x00\xff\r\n"
    a> :read 1
    b> publish other x
    a> subscribe c
    a> subscribe d e f => 3
    b> publish e x
    a> :read 1
    a> unsubscribe d
    a> unsubscribe absent
    b> publish d x
    a> unsubscribe c e f => 3
    b> publish c x
    a> unsubscribe
    a> unsubscribe c
    a> get k
    subscribe
    publish
    publish c
    publish c m extra
  `,
  "patterns": transcript`
    a> psubscribe n* h?llo
    a> :read 1
    b> publish news x
    a> :read 1
    b> publish hello x
    a> :read 1
    b> publish other x
    a> psubscribe news
    b> publish news y
    a> :read 2
    a> subscribe news
    b> publish news z
    a> :read 3
    a> punsubscribe n*
    a> punsubscribe absent*
    a> punsubscribe news h?llo => 2
    b> publish news z
    a> :read 1
    a> unsubscribe news
    a> punsubscribe
    psubscribe
    b> psubscribe [a-c]x => 1
    a> publish bx 1
    a> publish dx 1
    b> :read 1
    b> punsubscribe
  `,
  "unsubscribing from everything": transcript`
    a> subscribe a b c => 3
    a> unsubscribe => 3
    a> psubscribe a* b* => 2
    a> punsubscribe => 2
    a> subscribe x => 1
    a> psubscribe y* => 1
    a> unsubscribe => 1
    a> punsubscribe => 1
    a> ping
  `,
  "what a subscriber may do": transcript`
    subscribe c
    get k
    set k v
    ping
    ping text
    ping a b
    foo
    multi
    exec
    discard
    watch k
    echo text
    client id
    publish other m
    psubscribe p*
    hello
    unsubscribe c
    get k
    punsubscribe p*
    get k
    subscribe c
    reset
    get k
    subscribe c
    quit => closed
  `,
  "a subscriber that publishes to itself, in RESP3": transcript`
    hello 3
    subscribe c
    psubscribe *
    publish c m => 3
    publish other m => 2
    publish c m | get k | publish c m => 7
    multi
    publish c m
    get k
    exec => 3
    unsubscribe | punsubscribe
  `,
  "a subscriber that publishes to itself": transcript`
    b> subscribe c
    a> publish c 1 | publish c 2 | publish c 3
    b> :read 3
    b> unsubscribe
  `,
  "hello 3 while subscribed": transcript`
    b> subscribe c
    b> hello 3
    a> publish c m
    b> ping
  `,
  "pubsub": transcript`
    a> pubsub channels
    a> pubsub numsub
    a> pubsub numsub c d
    a> pubsub numpat
    b> subscribe c d => 2
    c> subscribe c
    c> psubscribe p* q* => 2
    b> psubscribe p*
    a> pubsub channels
    a> pubsub channels c*
    a> pubsub channels nothing
    a> pubsub numsub c d e
    a> pubsub numpat
    a> pubsub channels a b
    a> pubsub numpat extra
    a> pubsub foo
    a> pubsub
    a> PUBSUB NUMSUB c
  `,
  "in one write": transcript`
    subscribe a b | ping => 3
    unsubscribe a b | ping | get k => 4
    subscribe a | unsubscribe a | subscribe b | unsubscribe | set k v | get k => 6
  `,
  "messages before later replies": transcript`
    a> subscribe c
    b> publish c one
    a> :read 1
    a> unsubscribe c
    b> publish c two
    a> ping
  `,
  "a client that disconnects is not subscribed any more": transcript`
    a> subscribe c
    b> publish c x
    a> :read 1
    a> quit => closed
    b> publish c x
  `,
});
