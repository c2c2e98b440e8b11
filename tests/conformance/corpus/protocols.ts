/** Malformed requests, and inline commands. */

import { type Group, group, transcript } from "../transcript.ts";

const KB64 = "x".repeat(64 * 1024);

/** Scenarios about the protocol. */
export const PROTOCOLS: Group = group("protocol", {
  "inline commands": transcript`
    :raw "PING\r\n"
    :raw "PING\n"
    :raw "ping hello\r\n"
    :raw "  set   k    v  \r\n"
    :raw "get k\r\n"
    :raw "set k \"two words\"\r\n"
    :raw "get k\r\n"
    :raw "set k 'single \\'quoted\\' \\n words'\r\n"
    :raw "get k\r\n"
    :raw "set k \"\\x00\\xff\\n\\r\\t\\a\\b\\\\\\\"\\q\"\r\n"
    :raw "get k\r\n"
    :raw "set k \"\\xZZ\\x1\"\r\n"
    :raw "get k\r\n"
    :raw "set \"\" \"\"\r\n"
    :raw "get ''\r\n"
    :raw "set\tk\ttabs\r\n"
    :raw "get k\r\n"
    :raw "set k a\"b\r\n" => closed
    b> :raw "set k mid\"dle\"\r\n"
    b> :raw "get k\r\n"
    b> :raw "echo a'b'\r\n"
    b> :raw "PING\r\nPING x\r\nfoo\r\nGET\r\n" => 4
    b> :raw "\r\n\r\nPING\r\n"
    b> :raw "   \r\nPING\r\n"
    b> :raw "\nPING\n"
    b> :raw "foo bar 'it is'\r\n"
    b> :raw "echo \"\\\"\"\r\n"
    b> :raw "echo \xff\xfe\r\n"
  `,
  "inline and multibulk requests alternately": transcript`
    :raw "PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n" => 4
  `,
  "unbalanced quotes": transcript`
    a> :raw "set k \"open\r\n" => closed
    b> :raw "set k 'open\r\n" => closed
    c> :raw "set k \"a\"b\r\n" => closed
    d> :raw "set k 'a'b\r\n" => closed
    e> :raw "set k \"\r\n" => closed
    f> :raw "PING\r\nset k \"a\"b\r\nPING\r\n" => closed
    g> :raw "set k 'a\\'\r\n" => closed
  `,
  "empty requests": transcript`
    :raw "*0\r\nPING\r\n"
    :raw "*-1\r\nPING\r\n"
    :raw "*-10\r\nPING\r\n"
    :raw "*0\r\n*0\r\n*1\r\n$4\r\nPING\r\n"
  `,
  "bad multibulk lengths": transcript`
    a> :raw "*abc\r\n" => closed
    b> :raw "*\r\n" => closed
    d> :raw "*99999999999999999999\r\n" => closed
    e> :raw "*1.5\r\n" => closed
    f> :raw "* 1\r\n" => closed
    g> :raw "*+1\r\n" => closed
    h> :raw "*01\r\n" => closed
    i> :raw "*2147483648\r\n" => closed
    j> :raw "PING\r\n*abc\r\nPING\r\n" => closed
    k> :raw "*1 \r\n" => closed
    l> :raw "*-2147483649\r\nPING\r\n" => 1
  `,
  "bad bulk lengths": transcript`
    a> :raw "*1\r\n$abc\r\n" => closed
    b> :raw "*1\r\n$-1\r\n" => closed
    c> :raw "*1\r\n$536870913\r\n" => closed
    d> :raw "*1\r\n$\r\n" => closed
    e> :raw "*1\r\nPING\r\n" => closed
    f> :raw "*1\r\n:4\r\n" => closed
    g> :raw "*2\r\n$3\r\nGET\r\nxk\r\n" => closed
    h> :raw "*1\r\n$4.0\r\nPING\r\n" => closed
    i> :raw "*1\r\n$04\r\nPING\r\n" => closed
    j> :raw "*1\r\n$+4\r\nPING\r\n" => closed
    k> :raw "*1\r\n$99999999999999999999\r\n" => closed
    l> :raw "*2\r\n$4\r\nPING\r\n\r\n" => closed
    n> :raw "*1\r\n\r\n" => closed
    o> :raw "*1\r\n$9223372036854775807\r\n" => closed
  `,
  "more arguments than inmem accepts": transcript`
    a> :raw "*1048577\r\n" => 0
    a> :raw "x\r\n" => closed
  `,
  "bulk strings that do not end with CR LF": transcript`
    :raw "*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n" => 2
  `,
  "lines that are too long": transcript`
    a> :raw ${KB64 + "x"} => closed
    b> :raw ${"*" + "1".repeat(64 * 1024)} => closed
    c> :raw ${"*1\r\n$" + "1".repeat(64 * 1024)} => closed
    d> :raw ${`echo ${"y".repeat(60_000)}\r\n`}
  `,
  "requests that arrive byte by byte": transcript`
    :raw "*" => 0
    :raw "2\r" => 0
    :raw "\n$" => 0
    :raw "4\r\nEC" => 0
    :raw "HO\r" => 0
    :raw "\n$5\r\nhel" => 0
    :raw "lo" => 0
    :raw "\r" => 0
    :raw "\n"
    :raw "PI" => 0
    :raw "NG\r" => 0
    :raw "\n"
  `,
  "lines that end with a newline only": transcript`
    :raw "*1\r\n$4\r\nPING\r\n"
    :raw "echo a\rb\r\n"
  `,
  "many in one write": transcript`
    :raw ${"*1\r\n$4\r\nPING\r\n".repeat(1000)} => 1000
    :raw ${"PING\r\n".repeat(1000)} => 1000
    :raw ${
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$3\r\nFOO\r\n".repeat(300)
  } => 900
  `,
  "large arguments": transcript`
    set k ${KB64}
    get k
    set k ${KB64.repeat(50)}
    get k
    strlen k
    echo ${KB64.repeat(20)}
    rpush l ${KB64} ${KB64.repeat(3)} small
    lrange l 0 -1
    hset h ${"f".repeat(1000)} ${KB64}
    hgetall h
  `,
  "names in any case, numbers with signs": transcript`
    :raw "*3\r\n$3\r\nSeT\r\n$1\r\nk\r\n$1\r\nv\r\n"
    :raw "*2\r\n$3\r\ngEt\r\n$1\r\nk\r\n"
    :raw "*1\r\n$0\r\n\r\n"
    :raw "*1\r\n$1\r\n \r\n"
    :raw "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"
  `,
  "requests after quit are not run": transcript`
    :raw "QUIT\r\nSET k v\r\n" => closed
    b> get k
  `,
  "http": transcript`
    a> :raw "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n" => closed
    b> :raw "Host: localhost\r\n" => closed
    c> :raw "*2\r\n$4\r\npost\r\n$1\r\n/\r\n" => closed
    d> :raw "GET / HTTP/1.1\r\n"
  `,
});
