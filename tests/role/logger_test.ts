import { assertEquals, assertMatch } from "@std/assert";
import { createLogger, type LogFormat } from "../../src/role/logger.ts";

function linesOf(format: LogFormat, run: (logger: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = [];
  run(createLogger(format, (line) => lines.push(line), () => Date.UTC(2026, 10, 23, 8)));
  return lines;
}

Deno.test("createLogger() text writes one line per event", () => {
  const lines = linesOf("text", (logger) => {
    logger.info("listening on 127.0.0.1:9443");
    logger.warn("slow", { ms: 12.5, tls: true, file: "my data", peer: "127.0.0.1:1", absent: undefined, empty: "" });
    logger.error("failed", { why: 'a "b" c\\' });
  });
  assertEquals(lines, [
    "2026-11-23T08:00:00.000Z info listening on 127.0.0.1:9443\n",
    '2026-11-23T08:00:00.000Z warn slow ms=12.5 tls=true file="my data" peer=127.0.0.1:1 empty=""\n',
    '2026-11-23T08:00:00.000Z error failed why="a \\"b\\" c\\\\"\n',
  ]);
});

Deno.test("createLogger() json writes one object per event", () => {
  const [line = ""] = linesOf("json", (logger) => logger.info("a\nb", { level: "forged", n: 1, absent: undefined }));
  assertEquals(line, '{"time":"2026-11-23T08:00:00.000Z","level":"info","message":"a\\nb","n":1}\n');
});

Deno.test("createLogger() escapes values that could forge a line or control the terminal", () => {
  const hostile = "a\nb\r\tc\x1b[2Jd\u2028e\u202ef\x00g\x7f\u009bh";
  for (const format of ["text", "json"] as const) {
    for (const line of linesOf(format, (logger) => logger.error(hostile, { hostile }))) {
      assertMatch(line, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*\n$/u);
      assertMatch(line, /a\\nb\\r\\tc\\u001b\[2Jd\\u2028e\\u202ef\\u0000g\\u007f\\u009bh/);
    }
  }
  const [line = ""] = linesOf("json", (logger) => logger.info("x", { hostile }));
  assertEquals(JSON.parse(line).hostile, hostile);
});

Deno.test("createLogger() writes to standard error, and survives its end", async () => {
  const script = `
    import { createLogger } from ${JSON.stringify(import.meta.resolve("../../src/role/logger.ts"))};
    const logger = createLogger("text");
    logger.info("first");
    await Deno.stdin.read(new Uint8Array(1));
    for (let i = 0; i < 1000; i++) logger.info("x".repeat(1000));
    console.log("alive");`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", script],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.getReader();
  const { value } = await reader.read();
  assertMatch(new TextDecoder().decode(value), /Z info first\n$/);
  await reader.cancel();
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array([10]));
  await writer.close();
  assertEquals(await new Response(child.stdout).text(), "alive\n");
  assertEquals((await child.status).code, 0);
});
