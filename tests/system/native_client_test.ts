/** Tests `src/wire/PROTOCOL.md` against the real server: the page's own bytes, and a client in another language. */

import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import { longOnly } from "../support/amount.ts";
import { concat, toHex } from "../support/hex.ts";
import { run, systemTest } from "../support/launcher.ts";
import { readExamples } from "../support/protocol_examples.ts";

systemTest("the session in PROTOCOL.md is what server and proxy reply, byte by byte", async (launcher) => {
  const { proxy } = await launcher.cluster();
  const server = await launcher.server();
  const examples = readExamples();
  for (const role of [server, proxy]) {
    using connection = await launcher.raw(role);
    for (const { from, bytes } of examples) {
      if (from === "client") await connection.send(bytes);
      else assertEquals(toHex(await connection.readFrame()), toHex(bytes));
    }
    // The same requests in one write: pipelining changes only the counters.
    using pipelined = await launcher.raw(role);
    await pipelined.send(concat(...examples.filter(({ from }) => from === "client").map(({ bytes }) => bytes)));
    const replies = examples.filter(({ from }) => from === "server").length;
    for (let i = 0; i < replies; i++) assertEquals((await pipelined.readFrame()).length > FRAME_PREFIX_BYTES, true);
  }
});

const python = await new Deno.Command("python3", { args: ["--version"], stdout: "null", stderr: "null" }).output()
  .then(({ success }) => success, () => false);

systemTest(
  python
    ? "a client in Python, written from PROTOCOL.md, talks to server and proxy"
    : "a client in Python, written from PROTOCOL.md (ignored: there is no python3 here)",
  { ignore: !python || longOnly.ignore },
  async (launcher) => {
    const { servers, proxy } = await launcher.cluster();
    const hex = (text: string) => ({ hex: toHex(new TextEncoder().encode(text)).replaceAll(" ", "") });
    const large = { hex: "00ff".repeat(500_000) };
    const many = Array.from({ length: 70_000 }, (_, index) => `element ${index}`);
    const exchanges: [request: unknown[], reply: unknown][] = [
      [["PING"], "PONG"],
      [["set", "key", "ключ ☃"], "OK"],
      [["get", "key"], hex("ключ ☃")],
      [["set", { hex: "0000ff" }, large], "OK"],
      [["strlen", { hex: "0000ff" }], 1_000_000],
      [["get", { hex: "0000ff" }], large],
      [["get", "nobody"], null],
      [["incrby", "n", "9007199254740993"], 9007199254740992],
      [["rpush", "list", ...many], many.length],
      [["lrange", "list", "0", "-1"], many.map(hex)],
      [["hset", "hash", "field", ""], 1],
      [["hgetall", "hash"], { map: [[hex("field"), hex("")]] }],
      [["get", "hash"], { code: "WRONGTYPE", message: "Operation against a key holding the wrong kind of value" }],
      [["remove", "key", "n", "list", "hash", { hex: "0000ff" }], 5],
    ];
    const script = fromFileUrl(new URL("../support/native_client.py", import.meta.url));
    for (const role of [servers[0]!, proxy]) {
      const [host = "", port = ""] = role.address.split(":");
      const { code, stdout, stderr } = await run(["python3", script, host, port, launcher.certificates.authority], {
        stdin: exchanges.map(([request]) => JSON.stringify(request) + "\n").join(""),
      });
      assertEquals(code, 0, stderr);
      const replies: unknown[] = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
      exchanges.forEach(([request, reply], index) => {
        const same = JSON.stringify(replies[index]) === JSON.stringify(reply);
        assertEquals(
          same,
          true,
          `${JSON.stringify(request).slice(0, 100)}: ${JSON.stringify(replies[index])?.slice(0, 200)}`,
        );
      });
    }
  },
);
