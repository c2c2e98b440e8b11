import { assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { ReplyError } from "../../src/errors.ts";
import { usageHint } from "../../src/shell/usage_hint.ts";

Deno.test("usageHint() shows the syntax of a command by any name, and only after a wrong number of arguments", () => {
  const wrong = new ReplyError("ERR", "wrong number of arguments for 'get' command");
  assertEquals(usageHint(["get"], wrong), "usage: get key\n");
  assertEquals(usageHint([encodeText("GET"), encodeText("a"), encodeText("b")], wrong), "usage: get key\n");
  assertEquals(usageHint(["lindex"], wrong), "usage: lget key index\n");
  assertEquals(usageHint(["multi", "x"], wrong), "usage: multi\n");
  assertEquals(usageHint(["nosuch"], wrong), "");
  assertEquals(usageHint(["get", "a"], new ReplyError("WRONGTYPE", "no")), "");
});
