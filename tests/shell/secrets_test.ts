import { assert, assertFalse } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { isSecret } from "../../src/shell/secrets.ts";

Deno.test("isSecret() recognizes lines that would be executed with a password", () => {
  const lines = [
    "auth s3cret",
    "auth",
    "AUTH default s3cret",
    "'auth' s3cret",
    '"AUTH" s3cret',
    "auth\ts3cret",
    "auth\vs3cret",
    "auth\u000cs3cret",
    "auth\rs3cret",
    '"\\x61uth" s3cret',
    '"\\x61\\x55\\x54\\x48" s3cret',
    'a"uth" s3cret',
    "a'uth' s3cret",
    'au"th" s3cret',
    '"a\\uth" s3cret',
    "hello 3 auth default s3cret",
    "HELLO 3 SETNAME x AUTH default s3cret",
    "hello 3 AUTH default s3cret SETNAME x",
    '"hello" 3 auth default s3cret',
    'hello 3 "\\x41UTH" default s3cret',
    "hello 3 auht default s3cret",
    "hello 3 default s3cret",
    "hello auth default s3cret",
    "config set requirepass s3cret",
    "CONFIG SET maxmemory 1gb requirepass s3cret",
    "config set masterauth s3cret",
    "config set reqiurepass s3cret",
    "config set requirepas s3cret",
    'config "\\x73et" "require\\x70ass" s3cret',
    "config st requirepass s3cret",
    "config set tls-key-file-pass s3cret",
    "command getkeys auth s3cret",
    "command getkeysandflags hello 3 auth default s3cret",
    " set x s3cret",
    "\tset x s3cret",
    "\u3000auth s3cret",
  ];
  for (const line of lines) assert(isSecret(line), line);
});

Deno.test("isSecret() recognizes lines that were meant for a command with a password", () => {
  const lines = [
    "auht s3cret",
    "atuh s3cret",
    "uath s3cret",
    "aut s3cret",
    "auh s3cret",
    "authh s3cret",
    "auth: s3cret",
    "auths3cret",
    "au\\th s3cret",
    "5 auth s3cret",
    "rediss://default:s3cret@cache1:9443",
    "confg set reqirepas s3cret",
    "cnofig set mastrauth s3cret",
    "# auth s3cret",
    "> auth s3cret",
    "helo 3 auth default s3cret",
    "confg set requirepass s3cret",
    "migrate host 6379 key 0 1000 AUTH s3cret",
    "migrate host 6379 key 0 1000 auth2 default s3cret",
    "acl setuser x >s3cret",
    "ACL SETUSER x on '>s3cret' ~*",
    "acl setuser x <s3cret",
    "sentinel set mymaster auth-pass s3cret",
    "inmem client auth s3cret",
    "redis-cli -a s3cret ping",
    "redis-cli --pass s3cret",
    "redis-cli -u rediss://:s3cret@host:6379",
    "requirepass s3cret",
    "masterauth s3cret",
    "eval \"return redis.call('auth', 's3cret')\" 0",
    // These lines cannot be tokenized.
    '"auth"s3cret',
    "'auth's3cret",
    '"auth" "s3cret',
    'auth "s3cret',
    "auth 's3cret",
    '"auth s3cret',
    '"\\x61uth" "s3cret',
    'a"uth "s3cret"',
    'auht "s3cret',
    'hello 3 auth default "s3cret',
    'config set requirepass "s3cret',
  ];
  for (const line of lines) assert(isSecret(line), line);
});

Deno.test("isSecret() accepts lines that have nothing to do with passwords", () => {
  const lines = [
    "",
    "get auth",
    "set auth x",
    "hset user password",
    "get password:1",
    "del requirepass",
    "echo auth",
    "help auth",
    "hello",
    "hello 3",
    "HELLO 2 SETNAME me",
    "hello 3 setname ''",
    "config get requirepass",
    "config get *",
    "config set maxmemory 100mb",
    "config resetstat",
    "command info auth",
    "command docs auth",
    "command getkeys get auth",
    "multi",
    "ping",
    "cluster --json",
    "exit",
    'set "open',
    'set json {"a": 1}',
    // These are mistakes that a user wants to correct.
    "sett path x",
    "gte a",
    "push k v",
    "hgetal h",
    "flushal",
    "nosuch a b",
    "zadd z 1 a",
  ];
  for (const line of lines) assertFalse(isSecret(line), line);
});

Deno.test("isSecret() follows the specification of which commands carry a secret", () => {
  for (const { name, aliases, secret, syntax } of COMMANDS) {
    if (/password/.test(syntax)) assert(secret !== "none", `${name}: its syntax has a password`);
    for (const each of [name, ...aliases]) {
      if (secret === "none") assertFalse(isSecret(`${each} auth password`), each);
      else if (secret === "arguments") assert(isSecret(`${each.toUpperCase()} x`), each);
    }
  }
});
