import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { findCommand } from "../../src/shell/help.ts";
import { expectedNext, restOf, syntaxText } from "../../src/shell/syntax_guide.ts";

Deno.test("syntaxText() writes the arguments of every command as its row does", () => {
  for (const command of COMMANDS) assertEquals(syntaxText(command.arguments), command.syntax, command.name);
});

Deno.test("restOf() returns what is still to come", () => {
  const rows: [line: string, rest: string | undefined][] = [
    ["get", "key"],
    ["get k", ""],
    ["get k extra", undefined],
    ["set k", "value [EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | KEEPTTL] [NX | XX] [GET]"],
    ["set k v nx", "[EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | KEEPTTL] [GET]"],
    ["set k v GET ex", "seconds [NX | XX]"],
    ["set k v ex 5 nx get", ""],
    ["set k v ex 5 px", undefined],
    ["set k v nonsense", undefined],
    ["mset", "key value [key value …]"],
    ["mset a", "value [key value …]"],
    ["mset a 1", "[key value …]"],
    ["mset a 1 b", "value [key value …]"],
    ["hset h f v", "[field value …]"],
    ["lmove a b", "LEFT|RIGHT LEFT|RIGHT"],
    ["lmove a b left", "LEFT|RIGHT"],
    ["lmove a b up", undefined],
    ["blpop a", "[key …] timeout"],
    ["blpop a b c", "[key …] timeout"],
    ["sintercard 2", "key [key …] [LIMIT limit]"],
    ["sintercard 2 a", "[key …] [LIMIT limit]"],
    ["sintercard 2 a b", "[LIMIT limit]"],
    ["sintercard 2 a b limit", "limit"],
    ["hrandfield h", "[count [WITHVALUES]]"],
    ["hrandfield h 3", "[WITHVALUES]"],
    ["object", "encoding key | freq key | idletime key | refcount key"],
    ["object ENCODING", "key"],
    ["memory usage k", "[SAMPLES count]"],
    ["memory usage k samples", "count"],
    ["config", syntaxText(findCommand("config")!.arguments)],
    ["config get", "pattern"],
    ["config frob", undefined],
    ["auth", "[user] password"],
    ["auth x", "password"],
    ["hello", "[2|3 [AUTH user password] [SETNAME name]]"],
    ["hello 3", "[AUTH user password] [SETNAME name]"],
    ["hello 3 setname", "name [AUTH user password]"],
    ["info", "[section …]"],
    ["info server", "[section …]"],
    ["command docs get", "[name …]"],
    ["command getkeys get k", "[command …]"],
    ["pubsub numsub a", "[channel …]"],
    ["scan 0 match x", "[COUNT count] [TYPE type]"],
    ["copy a b replace db 0", ""],
  ];
  for (const [line, rest] of rows) {
    const [name, ...words] = line.split(" ");
    const found = restOf(findCommand(name!)!, words);
    assertEquals(found && syntaxText(found), rest, line);
  }
});

Deno.test("expectedNext() allows every call that the rest describes, for every command", () => {
  // Each call is grown word by word from what is expected, and never leaves the syntax.
  for (const command of COMMANDS) {
    for (let choice = 0; choice < 6; choice++) {
      const words: string[] = [];
      for (let count = 0; count < 12; count++) {
        const rest = restOf(command, words);
        assert(rest !== undefined, `${command.name} ${words.join(" ")}`);
        const expected = expectedNext(rest);
        if (expected.length === 0) break;
        const { word, value } = expected[choice % expected.length]!;
        assert((word === undefined) !== (value === undefined));
        words.push(word ?? "1");
      }
      if (words.length < 12) {
        assertEquals(syntaxText(restOf(command, words)!), "", `${command.name} ${words.join(" ")}`);
      }
    }
  }
});
