import { assert, assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { EXAMPLES, REPLY_MARK } from "../../src/catalog/examples.ts";
import { acceptsCount, COMMANDS } from "../../src/catalog/specification.ts";
import { connect } from "../../src/client/client.ts";
import { findCommand } from "../../src/shell/help.ts";
import { HumanReplies, PLAIN_LOOK, shapeOf } from "../../src/shell/human.ts";
import { restOf } from "../../src/shell/syntax_guide.ts";
import { tokenize } from "../../src/shell/tokenizer.ts";
import { withServers } from "../support/proxy_rig.ts";

/** Returns the lines of an example without its reply. */
function linesOf(example: readonly string[]): string[] {
  return example.filter((line) => !line.startsWith(REPLY_MARK));
}

Deno.test("every command has an example, whose lines fit the syntax", () => {
  assertEquals(Object.keys(EXAMPLES).sort(), COMMANDS.map(({ name }) => name).sort());
  for (const [name, example] of Object.entries(EXAMPLES)) {
    const lines = linesOf(example);
    assert(lines.some((line) => line.split(" ")[0] === name), name);
    for (const line of lines) {
      const [first, ...words] = line.split(" ");
      const command = findCommand(first!)!;
      assert(restOf(command, words) !== undefined && acceptsCount(command.arity, words.length + 1), line);
    }
  }
});

Deno.test("examples reply as they say", async () => {
  await withServers(1, async (_servers, [address]) => {
    for (const example of Object.values(EXAMPLES)) {
      const reply = example.find((line) => line.startsWith(REPLY_MARK));
      if (reply === undefined) continue;
      // Each begins with a new connection, which has no transaction and no listening left.
      await using client = await connect({ addr: address!, plaintext: true });
      await client.send(["flushall"]);
      let last = "";
      for (const line of linesOf(example)) {
        const words = tokenize(encodeText(line));
        last = new HumanReplies(PLAIN_LOOK).text(await client.send(words), shapeOf(words));
      }
      const lines = last.trimEnd().split("\n").map((line) => line.trim());
      assertEquals(`${REPLY_MARK}${lines.join("  ")}`, reply, example.join("; "));
    }
  });
});
