/**
 * What a connection may do before authentication, and how it authenticates. Both servers require the password `secret`.
 */

import { type Group, group, transcript } from "../transcript.ts";

/** Scenarios about authentication. */
export const AUTHENTICATION: Group = group("authentication", {
  "before authentication": transcript`
    get k
    set k v
    ping
    echo text
    foo
    get
    multi
    exec
    subscribe c
    client id
    client setname name
    command
    info
    select 0
    hello
    hello 3
    hello 2
    hello 4
    reset
    quit => closed
  `,
  "auth": transcript`
    auth wrong
    auth ""
    auth default wrong
    auth nobody secret
    auth
    auth a b c
    get k
    auth secret
    get k
    auth wrong
    get k
    auth default secret
    get k
    reset
    get k
    auth default secret
    ping
  `,
  "hello with auth": transcript`
    hello 3 auth default wrong
    hello 3 auth nobody secret
    hello 3 setname name
    hello 3 auth default
    get k
    hello 3 auth default secret setname name
    client getname
    hget absent f
    hello 2 auth default wrong
    hget absent f
    hello 4 auth default secret
    hello 2
    hget absent f
    b> hello 2 auth default secret
    b> get k
    c> hello 3 foo auth default secret
    c> get k
    d> hello 4 auth default secret
    d> get k
  `,
  "requests before authentication": transcript`
    a> :raw "*11\r\n" => closed
    b> :raw "*10\r\n$16385\r\n" => closed
    c> :raw "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*11\r\n"
    c> :raw ${"$4\r\nmget\r\n" + "$1\r\nk\r\n".repeat(10)}
  `,
  "a long password before authentication": transcript`
    a> :raw "*3\r\n$4\r\nAUTH\r\n$16000\r\n" => 0
    a> :raw ${"x".repeat(16000) + "\r\n$1\r\nx\r\n"}
    b> :raw "*3\r\n$4\r\nAUTH\r\n$16384\r\n" => 0
    b> :raw ${"x".repeat(16384) + "\r\n$1\r\nx\r\n"}
    b> :end
  `,
  "a connection that has authenticated": transcript`
    auth secret
    hello 3
    hget absent f
    subscribe c
    unsubscribe c
    multi
    auth secret
    get k
    exec
    client list
  `,
});
