/**
 * Tests the client as a program: its arguments, its output, and its exit status. `shell/interactive_test.ts` tests the
 * interactive shell.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { encodeText } from "../../src/bytes.ts";
import { FakeServer } from "../support/fake_server.ts";
import type { FakeHandler } from "../support/fake_server.ts";

const MAIN = fromFileUrl(new URL("../../src/main.ts", import.meta.url));
const CONFIGURATION = fromFileUrl(new URL("../../deno.json", import.meta.url));
const PROGRAM = [Deno.execPath(), "run", "--quiet", "--no-prompt", "--config", CONFIGURATION, "-P=program", MAIN];

async function runClient(
  words: readonly string[],
  { input = "", env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<{ code: number; output: string; errors: string }> {
  const [command = "", ...args] = PROGRAM;
  const child = new Deno.Command(command, {
    args: [...args, "client", ...words],
    env: { INMEM_PASSWORD: "secret", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(encodeText(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, output: new TextDecoder().decode(stdout), errors: new TextDecoder().decode(stderr) };
}

const answer: FakeHandler = (request, peer) => {
  const values: Record<string, () => void> = {
    auth: () => request[1] === "secret" ? peer.reply("OK") : peer.refuse("WRONGPASS", "invalid password"),
    get: () => peer.reply(encodeText(`value of ${request[1]}`)),
    lrange: () => peer.reply([encodeText("a"), null, encodeText("日本")]),
    set: () => peer.reply("OK"),
    incr: () => peer.refuse("ERR", "value is not an integer"),
  };
  (values[request[0]!] ?? (() => peer.refuse("ERR", `unknown command '${request[0]}'`)))();
};

function to(server: FakeServer): string[] {
  return ["--addr", `127.0.0.1:${server.port}`, "--plaintext"];
}

Deno.test("inmem client runs one command, whose arguments may look like options", async () => {
  await using server = new FakeServer(answer);
  assertEquals(await runClient([...to(server), "set", "x", "-5"]), { code: 0, output: "OK\n", errors: "" });
  assertEquals(server.requests, [["auth", "secret"], ["set", "x", "-5"]]);
  assertEquals((await runClient([...to(server), "lrange", "l", "0", "-1"])).output, "a\n\n日本\n");
  assertEquals((await runClient([...to(server), "--json", "lrange", "l"])).output, '["a",null,"日本"]\n');
});

Deno.test("inmem client exits with 1 when the server refuses", async () => {
  await using server = new FakeServer(answer);
  const refused = { code: 1, output: "", errors: "ERR value is not an integer\n" };
  assertEquals(await runClient([...to(server), "incr", "x"]), refused);
  const json = await runClient([...to(server), "--json", "incr", "x"]);
  assertEquals(json, { code: 1, output: '{"error":{"code":"ERR","message":"value is not an integer"}}\n', errors: "" });
  const wrong = await runClient([...to(server), "get", "x"], { env: { INMEM_PASSWORD: "wrong" } });
  assertEquals([wrong.code, wrong.output], [1, ""]);
  assertStringIncludes(wrong.errors, "WRONGPASS");
});

Deno.test("inmem client gives advice about a password", async () => {
  await using server = new FakeServer((request, peer) => {
    if (request[1] === "wrong") peer.refuse("WRONGPASS", "no");
    else if (request[1] === "ended") peer.refuse("WRONGPASS", "It is wrong.");
    else if (request[1] === "full") peer.refuse("ERR", "max number of clients reached");
    else if (request[0] === "auth") peer.refuse("ERR", "no password\x9b here. Sure?");
    else peer.refuse("NOAUTH", "Authentication required.");
  });
  const wrong = await runClient([...to(server), "get", "x"], { env: { INMEM_PASSWORD: "wrong" } });
  assertMatch(
    wrong.errors,
    /^inmem client: Cannot authenticate: WRONGPASS no; pass the right one with --password-file/,
  );
  const errorsWith = async (password: string) => {
    return (await runClient([...to(server), "get", "x"], { env: { INMEM_PASSWORD: password } })).errors;
  };
  assertEquals(
    await errorsWith("needless"),
    "inmem client: Cannot authenticate: ERR no password\\xc2\\x9b here. Sure? If this server requires no password, leave " +
      "out --password-file and that of the URL, and unset INMEM_PASSWORD\n",
  );
  assertMatch(await errorsWith("ended"), /: WRONGPASS It is wrong\. Pass the right one with --password-file/);
  assertEquals(
    await errorsWith("full"),
    "inmem client: Cannot authenticate: ERR max number of clients reached\n",
  );
  const [program = "", ...args] = PROGRAM;
  const command = new Deno.Command(program, { args: [...args, "client", ...to(server), "get", "x"], stdin: "null" });
  const { code, stderr } = await command.output();
  assertEquals(code, 1);
  assertMatch(
    new TextDecoder().decode(stderr),
    /^NOAUTH .*\nhint: .*pass it with --password-file FILE, or INMEM_/,
  );
});

Deno.test("inmem client refuses to run while the secrets of TLS would be written to a file", async () => {
  const { code, output, errors } = await runClient(["ping"], { env: { SSLKEYLOGFILE: "/nonexistent/keys" } });
  assertEquals([code, output], [2, ""]);
  assertMatch(errors, /^inmem client: Cannot start while SSLKEYLOGFILE is set[^\n]+unset it\n$/);
});

Deno.test({
  name: "inmem client says that its output or its input cannot be used",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using server = new FakeServer(answer);
    for (
      const [words, redirection, expected] of [
        [["get", "x"], "> /dev/full", /^inmem client: Cannot write to standard output: No space left/],
        [["help"], "> /dev/full", /^inmem client: Cannot write to standard output: No space left/],
        [[], "< /", /^inmem client: Cannot read standard input: Is a directory/],
      ] as const
    ) {
      const { code, stderr } = await new Deno.Command("sh", {
        args: ["-c", `"$@" ${redirection}`, "sh", ...PROGRAM, "client", ...to(server), ...words],
        env: { INMEM_PASSWORD: "secret" },
        stdin: "null",
      }).output();
      assertMatch(new TextDecoder().decode(stderr), expected);
      assertEquals(code, 2);
    }
  },
});

Deno.test("inmem client exits with 2 after wrong arguments, and shows help without a server", async () => {
  for (
    const words of [["--nonsense"], ["--addr", "no where"], ["--ca", "/nonexistent", "ping"], ["help", "nonsense"]]
  ) {
    const { code, output, errors } = await runClient(words);
    assertEquals([code, output], [2, ""], words.join(" "));
    assertMatch(errors, /^inmem client: [^\n]+\n$/);
  }
  const help = await runClient(["help", "get"]);
  assertEquals([help.code, help.errors], [0, ""]);
  assertStringIncludes(help.output, "get key");
  const usage = await runClient(["--help"]);
  assertEquals(usage.code, 0);
  assertStringIncludes(usage.output, "Usage: inmem client");
});

Deno.test("inmem client exits with 3 when there is no connection, with advice", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { code, output, errors } = await runClient(["--addr", `127.0.0.1:${port}`, "get", "x"]);
  assertEquals([code, output], [3, ""]);
  assertStringIncludes(errors, `127.0.0.1:${port}`);
  assertStringIncludes(errors, "is the server running?");
  await using server = new FakeServer((_request, peer) => peer.write(encodeText("HTTP/1.1 400 Bad Request\r\n")));
  const other = await runClient([...to(server), "get", "x"]);
  assertEquals(other.code, 3);
  assertStringIncludes(other.errors, "not in the protocol of inmem");
});

Deno.test("inmem client runs the lines of its input", async () => {
  await using server = new FakeServer(answer);
  const { code, output, errors } = await runClient(to(server), { input: 'get "a b"\nincr x\nget c' });
  assertEquals({ code, output, errors }, {
    code: 1,
    output: "value of a b\nvalue of c\n",
    errors: "line 2: ERR value is not an integer\n",
  });
});

Deno.test("inmem client -x sends standard input as the last argument, and --raw prints exactly the value", async () => {
  let stored: unknown;
  await using server = new FakeServer((request, peer) => {
    if (request[0] === "set") stored = request[2];
    if (request[0] === "get" && request[1] === "none") return peer.reply(null);
    peer.reply(request[0] === "get" ? encodeText(String(stored)) : request[0] === "lrange" ? [encodeText("a")] : "OK");
  });
  const text = "line\n\n  blanks \n";
  assertEquals((await runClient([...to(server), "-x", "set", "k"], { input: text })).code, 0);
  assertEquals(stored, text);
  assertEquals((await runClient([...to(server), "--raw", "get", "k"])).output, text);
  assertEquals((await runClient([...to(server), "get", "k"])).output, `${text}\n`);
  assertEquals((await runClient([...to(server), "--raw", "lrange", "l"])).output, "a\n");
  assertEquals((await runClient([...to(server), "-x", "set", "k"], { input: "" })).code, 0);
  assertEquals(stored, "");
  assertEquals(await runClient([...to(server), "--raw", "get", "none"]), { code: 0, output: "", errors: "" });
  assertEquals((await runClient([...to(server), "--fail-nil", "get", "none"])).code, 1);
  assertEquals((await runClient([...to(server), "--fail-nil", "get", "k"])).code, 0);
  assertEquals((await runClient([...to(server), "--fail-nil", "--json", "get", "none"])).output, "null\n");
});

Deno.test("inmem client --out writes a file after a reply, and leaves it alone without one", async () => {
  await using server = new FakeServer((request, peer) => {
    if (request[1] === "none") peer.reply(null);
    else if (request[1] === "bad") peer.refuse("WRONGTYPE", "no");
    else peer.reply(request[0] === "auth" ? "OK" : encodeText("value\n"));
  });
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/out`;
    await Deno.writeTextFile(path, "before");
    for (const [key, code] of [["bad", 1], ["none", 1]] as const) {
      const { code: status, output } = await runClient([...to(server), "--out", path, "get", key]);
      assertEquals([status, output, await Deno.readTextFile(path)], [code, "", "before"]);
    }
    assertEquals(await runClient([...to(server), "--out", path, "get", "k"]), { code: 0, output: "", errors: "" });
    assertEquals(await Deno.readTextFile(path), "value\n");
    await runClient([...to(server), "--json", "--out", path, "get", "k"]);
    assertEquals(await Deno.readTextFile(path), '"value\\n"\n');
    const before = server.requests.length;
    const { code, errors } = await runClient([...to(server), "--out", folder, "getdel", "k"]);
    assertEquals(code, 2);
    assertStringIncludes(errors, "it is a folder");
    // The command was not sent.
    assertEquals(server.requests.slice(before), [["auth", "secret"]]);
    for (const option of [["--out", path], ["-x"], ["--fail-nil"]]) {
      const { code, errors } = await runClient([...to(server), ...option]);
      assertEquals(code, 2);
      assertStringIncludes(errors, "without a command");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
