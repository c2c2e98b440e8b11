import { assert, assertEquals } from "@std/assert";
import { ReplyError } from "../../src/errors.ts";
import { testCommands } from "../support/test_commands.ts";

testCommands("ping replies with PONG or its argument", (makeClient) => {
  const client = makeClient();
  assertEquals(client.call("ping"), "PONG");
  assertEquals(client.text("ping", "hello"), "hello");
  assertEquals(client.text("ping", ""), "");
  assertEquals(client.refusal("ping", "a", "b"), "ERR wrong number of arguments for 'ping' command");
});

testCommands("echo replies with its argument, of any bytes", (makeClient) => {
  const client = makeClient();
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(client.call("echo", bytes), bytes);
});

testCommands("info passes its sections on in lower case", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("info"), "# Server\r\nname:inmem\r\n");
  assertEquals(client.infoSections, []);
  client.call("info", "Server", "MEMORY");
  assertEquals(client.infoSections, ["server", "memory"]);
});

testCommands("auth accepts the password", (makeClient) => {
  const client = makeClient({ password: "secret" });
  assertEquals(client.refusal("auth", "wrong"), "WRONGPASS invalid username-password pair or user is disabled.");
  assertEquals(client.refusal("get", "x"), "NOAUTH Authentication required.");
  assertEquals(
    client.refusal("auth", "root", "secret"),
    "WRONGPASS invalid username-password pair or user is disabled.",
  );
  assertEquals(client.refusal("auth", "default", "secret", "x"), "ERR syntax error");
  assertEquals(client.text("auth", "default", "secret"), "OK");
  assertEquals(client.text("get", "x"), null);
  // A later failure does not change the connection's state.
  client.refusal("auth", "wrong");
  assertEquals(client.text("get", "x"), null);
});

testCommands("auth without a configured password", (makeClient) => {
  const client = makeClient();
  assertEquals(
    client.refusal("auth", "x"),
    "ERR AUTH <password> called without any password configured for the default user. " +
      "Are you sure your configuration is correct?",
  );
  assertEquals(client.text("auth", "default", "x"), "OK");
  assertEquals(client.refusal("auth", "x", "x"), "WRONGPASS invalid username-password pair or user is disabled.");
});

testCommands("save replies when the snapshot is written", async (makeClient) => {
  const client = makeClient();
  let written = false;
  client.saving = async () => {
    await Promise.resolve();
    written = true;
  };
  assertEquals(await client.wait("save"), "OK");
  assert(written);
  client.saving = () => Promise.reject(new ReplyError("ERR", "no data folder"));
  const answer = await client.wait("save");
  assert(answer instanceof ReplyError);
  assertEquals(`${answer.code} ${answer.message}`, "ERR no data folder");
});

testCommands("time replies with seconds and microseconds", (makeClient) => {
  const client = makeClient();
  const before = Date.now();
  const [seconds, microseconds] = client.text("time") as [string, string];
  const toldMs = Number(seconds) * 1000 + Number(microseconds) / 1000;
  assert(toldMs >= before && toldMs <= Date.now(), `${seconds} ${microseconds}`);
  assertEquals(client.refusal("time", "x"), "ERR wrong number of arguments for 'time' command");
});

testCommands("debug is refused unless an option enables it", (makeClient) => {
  const client = makeClient();
  assertEquals(
    client.refusal("debug", "sleep", "0"),
    "ERR DEBUG command not allowed: it is for tests, and needs --enable-debug-command",
  );
});

testCommands("debug sleep blocks everything for a while", (makeClient) => {
  const client = makeClient();
  client.shared.enablesDebug = true;
  const started = performance.now();
  assertEquals(client.text("debug", "sleep", "0.05"), "OK");
  assert(performance.now() - started >= 49);
  for (const seconds of ["0", "-1", "x"]) assertEquals(client.text("DEBUG", "SLEEP", seconds), "OK");
});

testCommands("debug refuses everything else", (makeClient) => {
  const client = makeClient();
  client.shared.enablesDebug = true;
  for (const request of [["sleep"], ["sleep", "0", "1"], ["jmap"], ["object", "x"]]) {
    assertEquals(
      client.refusal("debug", ...request),
      `ERR unknown subcommand or wrong number of arguments for '${request[0]}'. Try DEBUG HELP.`,
    );
  }
  assertEquals(client.refusal("debug"), "ERR wrong number of arguments for 'debug' command");
});
