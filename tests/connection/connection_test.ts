import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { SharedState } from "../../src/command/shared_state.ts";
import { ChannelMessage, Publication } from "../../src/connection/channel_message.ts";
import { Channels } from "../../src/connection/channels.ts";
import { ClientState } from "../../src/connection/client_state.ts";
import { makeStore } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

testCommands("select accepts only database 0", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("select", "0"), "OK");
  assertEquals(client.client.closing, false);
  assertEquals(client.text("swapdb", "0", "0"), "OK");
  assertEquals(client.refusal("swapdb", "0", "1"), "ERR DB index is out of range");
  assertEquals(client.client.closing, false);
});

testCommands("select of another database ends the connection, also within a transaction", async (makeClient) => {
  const why = "there is one database, 0; the connection is closed, so that nothing is written to the wrong database";
  for (const index of ["1", "-1", "15", "9223372036854775807"]) {
    const client = makeClient();
    assertEquals(
      `${await client.wait("select", index)}`,
      `ReplyError: DB index is out of range: ${why}`,
    );
    assert(client.client.closing);
  }
  for (const index of ["x", "", "00", "-0", "1.0", "9223372036854775808"]) {
    const client = makeClient();
    assertEquals(
      `${await client.wait("select", index)}`,
      `ReplyError: value is not an integer or out of range: ${why}`,
    );
    assert(client.client.closing);
  }
  const client = makeClient();
  client.call("multi");
  client.call("set", "a", "1");
  client.call("select", "0");
  assertMatch(`${await client.wait("select", "1")}`, /DB index is out of range/);
  assert(client.client.closing);
  assertEquals(client.store.size, 0);
});

testCommands("hello and subscribe are refused in the native protocol", (makeClient) => {
  const client = makeClient();
  assertMatch(client.refusal("hello", "3"), /^NOPROTO /);
  for (const name of ["subscribe", "psubscribe", "unsubscribe", "punsubscribe"]) {
    assertEquals(client.refusal(name, "x"), `ERR ${name} needs a connection that speaks RESP`);
  }
});

testCommands("hello chooses a version, authenticates and sets a name, all or nothing", (makeClient) => {
  const client = makeClient({ password: "secret" });
  client.client.version = 2;
  assertMatch(client.refusal("hello", "3"), /^NOAUTH HELLO must be called with the client already authenticated/);
  assertEquals(client.refusal("hello", "4"), "NOPROTO unsupported protocol version");
  assertEquals(client.refusal("hello", "x"), "ERR Protocol version is not an integer or out of range");
  assertEquals(client.refusal("hello", "3", "auth", "default"), "ERR Syntax error in HELLO option 'auth'");
  assertMatch(client.refusal("hello", "3", "auth", "default", "wrong"), /^WRONGPASS /);
  assertMatch(
    client.refusal("hello", "3", "auth", "default", "secret", "setname", "a b"),
    /^ERR Client names cannot contain spaces/,
  );
  assertEquals([client.client.version, client.client.authenticated, client.client.name], [2, false, ""]);
  const facts = new Map(client.text("hello", "3", "AUTH", "default", "secret", "SETNAME", "me") as [string, unknown][]);
  assertEquals(facts.get("proto"), 3);
  assertEquals(facts.get("id"), client.client.id);
  assertEquals([client.client.version, client.client.authenticated, client.client.name], [3, true, "me"]);
});

testCommands("reset restores the connection's initial state", (makeClient) => {
  const client = makeClient();
  client.call("client", "setname", "me");
  client.client.touchesNothing = true;
  client.call("watch", "a");
  client.call("multi");
  client.call("set", "a", "1");
  assertEquals(client.text("reset"), "RESET");
  assertEquals(client.refusal("exec"), "ERR EXEC without MULTI");
  assertEquals(client.text("client", "getname"), null);
  assertEquals(client.shared.watches.count, 0);
  assertEquals(client.client.touchesNothing, false);
});

testCommands("quit replies, and ends the connection", async (makeClient) => {
  const client = makeClient();
  assertEquals(await client.wait("quit"), "OK");
  assert(client.client.closing);
});

testCommands("client list, info and their filters describe connections", (makeClient) => {
  const client = makeClient();
  const other = makeClient({ store: client.store, shared: client.shared });
  assertEquals(client.text("client", "id"), 1);
  assertEquals(client.text("client", "getname"), null);
  assertEquals(other.text("client", "setname", "worker:1"), "OK");
  assertEquals(other.text("client", "getname"), "worker:1");
  assertEquals(other.text("client", "setinfo", "LIB-NAME", "tests"), "OK");
  const lines = String(client.text("client", "list")).trimEnd().split("\n");
  assertEquals(lines.length, 2);
  assertMatch(
    lines[0]!,
    /^id=1 addr=127\.0\.0\.1:50001 .*flags=N db=0 sub=0 psub=0 multi=-1 .*cmd=client\|list user=default resp=0/,
  );
  assertMatch(lines[1]!, /^id=2 .* name=worker:1 .* lib-name=tests/);
  assertEquals(String(other.text("client", "list", "id", "1", "7")).match(/ cmd=(\S+)/)![1], "NULL");
  assertEquals(client.text("client", "list", "type", "pubsub"), "");
  assertEquals(client.refusal("client", "list", "type", "x"), "ERR Unknown client type 'x'");
  assertEquals(client.refusal("client", "list", "x"), "ERR syntax error");
  assertMatch(
    client.refusal("client", "setname", "two words"),
    /^ERR Client names cannot contain spaces, newlines or special characters\.$/,
  );
  assertEquals(client.refusal("client", "nothing"), "ERR unknown subcommand 'nothing'. Try CLIENT HELP.");
  assertEquals(client.refusal("client", "setname"), "ERR wrong number of arguments for 'client|setname' command");
});

testCommands("client kill ends connections", async (makeClient) => {
  const client = makeClient();
  const other = makeClient({ store: client.store, shared: client.shared });
  assertEquals(client.refusal("client", "kill", "1.2.3.4:5"), "ERR No such client");
  assertEquals(client.refusal("client", "kill", "id", "x"), "ERR client-id should be greater than 0");
  assertEquals(client.refusal("client", "kill", "id"), "ERR No such client");
  assertEquals(client.refusal("client", "kill", "what", "ever"), "ERR syntax error");
  assertEquals(client.text("client", "kill", "id", String(other.client.id)), 1);
  assert(other.isKilled);
  assertEquals(client.text("client", "kill", "id", String(client.client.id)), 0);
  assertEquals(await client.wait("client", "kill", "id", "1", "skipme", "no"), 1);
  assert(client.client.closing && !client.isKilled);
});

testCommands("client no-touch applies to its connection", async (makeClient) => {
  const client = makeClient();
  assertEquals(await client.wait("client", "no-touch", "on"), "OK");
  assertEquals(client.client.touchesNothing, true);
  assertEquals(await client.wait("client", "no-touch", "off"), "OK");
  assertEquals(client.client.touchesNothing, false);
  assertEquals(client.text("client", "no-evict", "on"), "OK");
  assertEquals(client.refusal("client", "no-evict", "maybe"), "ERR syntax error");
});

testCommands("config gets by pattern, and sets all or nothing", (makeClient) => {
  let policy = "noeviction";
  const shared = new SharedState(makeStore(), {
    maxmemory: { get: () => "1000" },
    "maxmemory-policy": {
      get: () => policy,
      set: (value) => value === "bad" ? "it is bad" : (policy = value, undefined),
    },
  });
  const client = makeClient({ shared });
  assertEquals(client.text("config", "get", "MAX*"), [["maxmemory", "1000"], ["maxmemory-policy", "noeviction"]]);
  assertEquals(client.text("config", "get", "nothing"), []);
  assertEquals(client.text("config", "set", "maxmemory-policy", "allkeys-lru"), "OK");
  assertEquals(policy, "allkeys-lru");
  assertEquals(
    client.refusal("config", "set", "maxmemory-policy", "x", "nothing", "1"),
    "ERR Unknown option or number of arguments for CONFIG SET - 'nothing'",
  );
  assertEquals(
    client.refusal("config", "set", "maxmemory", "1"),
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - can't set immutable config",
  );
  assertEquals(
    client.refusal("config", "set", "maxmemory-policy", "bad"),
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - it is bad",
  );
  assertEquals(policy, "allkeys-lru");
  assertEquals(client.text("config", "resetstat"), "OK");
  assertEquals(client.resets, 1);
});

Deno.test("Channels.publish() reaches listeners of channels and patterns, and no client that has left", () => {
  const channels = new Channels();
  const got: string[] = [];
  const listener = (name: string) => {
    return new ClientState(1, "", "", {
      kill: () => {},
      deliver: (message) => {
        assert(message instanceof ChannelMessage);
        const { pattern, publication: { channel, payload } } = message;
        got.push(
          [name, pattern, channel, payload].map((part) => {
            return part instanceof Uint8Array ? new TextDecoder().decode(part) : part ?? "-";
          }).join(" "),
        );
      },
    }, true);
  };
  const [a, b] = [listener("a"), listener("b")];
  channels.subscribe(a, "news");
  channels.subscribePattern(a, "n*");
  channels.subscribePattern(b, "n*");
  channels.subscribePattern(b, "x*");
  const publish = () => {
    const search = channels.search(encodeText("news"));
    assertEquals(search?.step() ?? true, true);
    return channels.publish(a, new Publication(encodeText("news"), encodeText("hello")), search?.found ?? []);
  };
  assertEquals(publish(), 3);
  assertEquals(got.splice(0), ["a - news hello", "a n* news hello", "b n* news hello"]);
  channels.unsubscribePattern(a, "n*");
  channels.unsubscribe(a, "never");
  assertEquals(publish(), 2);
  channels.forget(a);
  channels.forget(b);
  assertEquals([publish(), channels.patternCount, [...channels.names].length], [0, 0, 0]);
  assertEquals([a.subscriptions, b.subscriptions], [0, 0]);
});
