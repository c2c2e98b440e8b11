import { assertEquals } from "@std/assert";
import type { Value } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { TransactionState } from "../../src/shell/transaction_state.ts";

Deno.test("TransactionState follows the outcomes of commands", () => {
  const rows: [line: string, outcome: Value, isOpen: boolean][] = [
    ["exec", new ReplyError("ERR", "EXEC without MULTI"), false],
    ["multi now", new ReplyError("ERR", "wrong number of arguments for 'multi' command"), false],
    ["MULTI", "OK", true],
    ["multi", new ReplyError("ERR", "MULTI calls can not be nested"), true],
    ["set a 1", "QUEUED", true],
    ["nonsense", new ReplyError("ERR", "unknown command"), true],
    ["exec now", new ReplyError("ERR", "wrong number of arguments for 'exec' command"), true],
    ["exec", new ReplyError("EXECABORT", "Transaction discarded because of previous errors."), false],
    ["multi", "OK", true],
    ["discard", "OK", false],
    ["multi", "OK", true],
    ["exec", null, false],
    ["multi", "OK", true],
    ["reset", "RESET", false],
  ];
  const state = new TransactionState();
  for (const [line, outcome, isOpen] of rows) {
    state.note(line.split(" "), outcome);
    assertEquals(state.isOpen, isOpen, line);
  }
  state.note(["multi"], "OK");
  state.reset();
  assertEquals(state.isOpen, false);
});
