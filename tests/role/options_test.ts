import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { StartError, UsageError } from "../../src/errors.ts";
import { CLIENTS_DEFAULT_COUNT, POOL_CONNECTIONS_DEFAULT_COUNT } from "../../src/limits.ts";
import { certsOptions, clientOptions, proxyOptions, serverOptions } from "../../src/role/option_tables.ts";
import {
  helpText,
  type Option,
  type OptionSource,
  type OptionTable,
  type OtherSources,
  parseOptions,
  variableOf,
} from "../../src/role/options.ts";
import { readPasswords } from "../../src/role/password.ts";
import { parseDuration, parsePercent, parseSize } from "../../src/role/quantities.ts";
import { exportOptions, importOptions } from "../../src/role/transfer_options.ts";
import { OPTION_TABLES } from "../support/pages.ts";

Deno.test("parseOptions() returns typed values, and defaults", () => {
  const { values, positional } = parseOptions(serverOptions, [], { environment: () => undefined });
  assertEquals(positional, []);
  assertEquals(values, {
    config: undefined,
    addr: { hostname: "127.0.0.1", port: 9443 },
    cert: undefined,
    key: undefined,
    data: undefined,
    "no-persist": false,
    backup: undefined,
    "backup-folder": undefined,
    repair: false,
    fsync: "everysec",
    "snapshot-growth": 100,
    "snapshot-interval": 3_600_000,
    "max-memory": undefined,
    eviction: "lru",
    "default-ttl": undefined,
    "password-file": undefined,
    "no-auth": false,
    "max-clients": CLIENTS_DEFAULT_COUNT,
    "max-client-memory": undefined,
    "slow-command": 10,
    "latency-threshold": 0,
    "enable-debug-command": false,
    plaintext: false,
    metrics: undefined,
    "metrics-edit": false,
    "health-file": undefined,
    "log-format": "text",
    help: false,
  });
  const eviction: "lru" | "none" = values.eviction;
  assertEquals(eviction, "lru");
  assertEquals(parseOptions(proxyOptions, []).values.conns, POOL_CONNECTIONS_DEFAULT_COUNT);
  assertEquals(parseOptions(clientOptions, []).values.timeout, 10_000);
});

Deno.test("parseOptions() accepts one dash or two, with = or a space", () => {
  for (const argv of [["--addr", ":1"], ["--addr=:1"], ["-addr", ":1"], ["-addr=:1"]]) {
    assertEquals(parseOptions(serverOptions, argv).values.addr, { hostname: "0.0.0.0", port: 1 });
  }
  for (const argv of [["--no-persist"], ["-no-persist"], ["--no-persist", "--no-persist"]]) {
    assertEquals(parseOptions(serverOptions, argv).values["no-persist"], true);
  }
  const { values } = parseOptions(serverOptions, [
    ...["-max-memory", "64mb", "--default-ttl=30s", "--eviction", "none", "--plaintext", "-data=a=b c", "--no-auth"],
    ...["--max-clients", "7", "--log-format=json"],
  ]);
  assertEquals(values["max-memory"], 64 * 1024 * 1024);
  assertEquals(values["default-ttl"], 30_000);
  assertEquals(values.eviction, "none");
  assertEquals(values.data, "a=b c");
  assertEquals(values["max-clients"], 7);
  assertEquals(values["log-format"], "json");
  assert(values.plaintext && values["no-auth"]);
  for (const argv of [["-h"], ["--help"], ["-help"]]) assert(parseOptions(serverOptions, argv).values.help);
});

Deno.test("parseOptions() understands the aliases of an option, and -h as help unless it is one", () => {
  for (const argv of [["-u", "h:1"], ["--url=h:1"], ["-url", "h:1"], ["--u", "h:1"]]) {
    const { addr } = parseOptions(clientOptions, argv).values;
    assertEquals([addr.hostname, addr.port], ["h", 1]);
  }
  assertThrows(() => parseOptions(clientOptions, ["-u", "a", "--addr", "b"]), UsageError, "--addr 2 times");
  assertThrows(() => parseOptions(clientOptions, ["-u"]), UsageError, "expected --addr SERVER");
  assertThrows(() => parseOptions(clientOptions, ["-u", "ftp://h"]), UsageError, "(--addr)");
  assertMatch(helpText(clientOptions), /also --url,\s+-u/);
  assert(parseOptions(clientOptions, ["-h"]).values.help);
});

Deno.test("parseOptions() collects repeated options", () => {
  const argv = ["folder", "--host", "a", "-host=b", "--force", "--host", "12"];
  const { values, positional } = parseOptions(certsOptions, argv);
  assertEquals(values.host, ["a", "b", "12"]);
  assertEquals(positional, ["folder"]);
  assert(values.force);
  assertEquals(parseOptions(certsOptions, []).values.host, []);
});

Deno.test("parseOptions() does not parse what follows a client's command", () => {
  for (
    const command of [
      ["set", "x", "-1"],
      ["set", "x", "--foo"],
      ["set", "--json", "--", "--"],
      ["set", "x", "", "007", "true", "-addr=:1"],
    ]
  ) {
    const { values, positional } = parseOptions(clientOptions, ["--json", ...command]);
    assertEquals(positional, command);
    assert(values.json);
  }
  assertEquals(parseOptions(clientOptions, ["--", "--json"]).positional, ["--json"]);
  assert(!parseOptions(clientOptions, ["--", "--json"]).values.json);
  assertEquals(parseOptions(clientOptions, ["--json", "true"]).positional, ["true"]);
  assertEquals(parseOptions(clientOptions, ["-"]).positional, ["-"]);
});

Deno.test("parseOptions() refuses wrong options with one line", () => {
  const cases: [argv: string[], message: string][] = [
    [["--adr", ":1"], 'Cannot use unknown option "--adr": did you mean --addr?'],
    [["-max-memroy=1gb"], 'Cannot use unknown option "-max-memroy": did you mean --max-memory?'],
    [["--zzzzzz"], 'Cannot use unknown option "--zzzzzz": expected one that --help lists'],
    [["--constructor"], 'Cannot use unknown option "--constructor": expected one that --help lists'],
    [["--addr"], "Cannot use --addr without a value: expected --addr HOST:PORT"],
    [["--addr="], "Cannot use --addr without a value: expected --addr HOST:PORT"],
    [["--password-file", "--no-auth"], "Cannot use --password-file without a value: expected --password-file FILE"],
    [["--no-auth=maybe"], 'Cannot use --no-auth "maybe": expected yes or no, true or false, on or off, 1 or 0'],
    [["--no-auth="], 'Cannot use --no-auth "": expected yes or no'],
    [["--data", "a", "-data=b"], "Cannot use --data 2 times: expected it once"],
    [["--eviction", "lfu"], 'Cannot use --eviction "lfu": expected lru or none'],
    [["--max-clients", "0"], 'Cannot parse number "0": expected 1 to 1000000 (--max-clients)'],
    [["--max-clients", "1.5"], 'Cannot parse number "1.5": expected 1 to 1000000 (--max-clients)'],
    [["--max-clients=-1"], 'Cannot parse number "-1": expected 1 to 1000000 (--max-clients)'],
    [["--max-memory", "1kb"], 'Cannot use size "1kb": expected 4mb to 32gb (--max-memory)'],
    [
      ["--max-memory", "64 mb"],
      'Cannot parse size "64 mb": expected bytes, or such as 100kb, 64mb, 1.5gb (--max-memory)',
    ],
    [["--default-ttl", "0"], 'Cannot use duration "0": expected 1ms to 36500d (--default-ttl)'],
    [["--default-ttl", "soon"], 'Cannot parse duration "soon": expected seconds, or such as 500ms'],
    [["--addr", "127.0.0.1:70000"], 'Cannot parse port "70000" of "127.0.0.1:70000": expected 0 to 65535 (--addr)'],
  ];
  for (const [argv, message] of cases) {
    const error = assertThrows(() => parseOptions(serverOptions, argv), UsageError);
    assert(error.message.startsWith(message), error.message);
    assert(!error.message.includes("\n"));
  }
});

Deno.test("parseOptions() takes each option of every role from its environment variable", () => {
  const texts = {
    flag: "yes",
    text: "text",
    count: "7",
    size: "8mb",
    duration: "700ms",
    percent: "7%",
    address: ":7",
    server: "h:7",
  };
  for (const table of OPTION_TABLES) {
    for (const [name, option] of Object.entries<Option>(table.options)) {
      const variable = variableOf(table, name);
      assertEquals(variable === undefined, option.onlyTyped === true, `${table.usage} --${name}`);
      if (variable === undefined) continue;
      assertMatch(variable, /^INMEM_[A-Z0-9_]+$/);
      const text = option.choices?.at(-1) ?? texts[option.kind];
      const environment = (asked: string) => asked === variable ? text : undefined;
      const typed = option.kind === "flag" ? [`--${name}`] : [`--${name}`, text];
      assertEquals(valuesOf(table, [], environment), valuesOf(table, typed), variable);
    }
  }

  function valuesOf(table: OptionTable, argv: string[], environment: OtherSources["environment"] = () => undefined) {
    return parseOptions(table, argv, { environment }).values;
  }
});

Deno.test("parseOptions() prefers the command line to the environment, and the environment to the file", () => {
  const variables: Record<string, string> = {
    INMEM_SERVER_ADDR: ":1",
    INMEM_SERVER_EVICTION: "none",
    INMEM_SERVER_DATA: "",
    INMEM_SERVER_NO_AUTH: "ON",
    INMEM_SERVER_PLAINTEXT: "0",
    INMEM_CERTS_HOST: "a, b,",
    INMEM_ADDR: ":3",
  };
  const environment = (name: string) => variables[name];
  const file: OptionSource = (name) => {
    return ["addr", "eviction", "fsync"].includes(name)
      ? [{ text: name === "addr" ? ":4" : "never", source: "f" }]
      : [];
  };
  const { values } = parseOptions(serverOptions, ["--addr", ":2", "--no-auth=no"], { environment, file });
  assertEquals(values.addr.port, 2);
  assertEquals([values["no-auth"], values.plaintext, values.eviction], [false, false, "none"]);
  assertEquals([values.data, values.fsync], [undefined, "never"]);
  assertEquals(parseOptions(serverOptions, ["--no-auth=no", "--no-auth"], { environment }).values["no-auth"], true);
  assertEquals(parseOptions(certsOptions, [], { environment }).values.host, ["a", "b"]);
  assertEquals(parseOptions(certsOptions, ["--host", "c"], { environment }).values.host, ["c"]);
  assertEquals(parseOptions(clientOptions, [], { environment }).values.addr.port, 3);
  variables.INMEM_SERVER_EVICTION = "lfu";
  assertEquals(parseOptions(serverOptions, ["--help"], { environment, file }).values.help, true);
});

Deno.test("parseOptions() names the variable with a wrong value", () => {
  const cases: [variable: string, text: string, message: string][] = [
    ["INMEM_SERVER_MAX_MEMORY", "lots", 'Cannot parse size "lots": expected bytes, or such as 100kb, 64mb, 1.5gb (INM'],
    ["INMEM_SERVER_EVICTION", "lfu", 'Cannot use INMEM_SERVER_EVICTION "lfu": expected lru or none'],
    ["INMEM_SERVER_NO_AUTH", "nope", 'Cannot use INMEM_SERVER_NO_AUTH "nope": expected yes or no'],
    ["INMEM_SERVER_ADDR", "x", 'Cannot parse address "x": expected host:port'],
  ];
  for (const [variable, text, message] of cases) {
    const environment = (name: string) => name === variable ? text : undefined;
    const error = assertThrows(() => parseOptions(serverOptions, [], { environment }), UsageError);
    assert(error.message.startsWith(message), error.message);
    assert(error.message.includes(variable), error.message);
  }
});

Deno.test("parseOptions() parses every default of every role", () => {
  for (const table of OPTION_TABLES) parseOptions(table, [], { environment: () => undefined });
});

Deno.test("helpText() lists every option, aligned, within 96 columns", () => {
  for (const table of OPTION_TABLES) {
    const text = helpText(table);
    assert(text.startsWith(`Usage: ${table.usage}\n`) && text.endsWith("\n"));
    for (const name of Object.keys(table.options)) assertMatch(text, new RegExp(`^  --${name}( |$)`, "m"));
    for (const line of text.split("\n")) assert(line.length <= 96 && line === line.trimEnd(), line);
  }
  const lines = helpText(clientOptions).split("\n");
  assert(
    lines.some((line) => line.startsWith("  --addr SERVER         the server or proxy: host, host:port or a URL")),
  );
  assertMatch(helpText(serverOptions), /INMEM_PASSWORD/);
});

Deno.test("parsePercent() reads a number with or without its sign, within its range", () => {
  assertEquals([parsePercent("100%"), parsePercent("0"), parsePercent("50")], [100, 0, 50]);
  for (const text of ["", "%", "-1%", "1.5%", "100 %", "x"]) assertThrows(() => parsePercent(text), UsageError);
  assertThrows(() => parsePercent("11%", { max: 10 }), UsageError, "expected 0% to 10%");
});

Deno.test("parseSize() and parseDuration() read units", () => {
  const sizes = {
    "0": 0,
    "1024": 1024,
    "1b": 1,
    "100kb": 102_400,
    "1k": 1024,
    "64MB": 67_108_864,
    "1.5gb": 1_610_612_736,
  };
  for (const [text, size] of Object.entries(sizes)) assertEquals(parseSize(text), size, text);
  const durations = {
    "500ms": 500,
    "30s": 30_000,
    "30": 30_000,
    "0.5": 500,
    "5m": 300_000,
    "1h": 3_600_000,
    "1d": 86_400_000,
  };
  for (const [text, duration] of Object.entries(durations)) assertEquals(parseDuration(text), duration, text);
  for (const text of ["", "mb", "-1", "1e3", "0x10", "1tb", ".5", "1.", "1,5", "99999999999999999999"]) {
    assertThrows(() => parseSize(text), UsageError);
  }
  for (const text of ["", "s", "-1s", "1w", "1 s", "Infinity"]) assertThrows(() => parseDuration(text), UsageError);
});

Deno.test("readPasswords() reads a private file, or else the environment", () => {
  const folder = Deno.makeTempDirSync();
  const before = Deno.env.get("INMEM_PASSWORD");
  function write(content: string, mode = 0o600): string {
    const path = `${folder}/password`;
    Deno.writeTextFileSync(path, content);
    Deno.chmodSync(path, mode);
    return path;
  }
  try {
    Deno.env.delete("INMEM_PASSWORD");
    assertEquals(readPasswords(undefined), []);
    Deno.env.set("INMEM_PASSWORD", "from the environment");
    assertEquals(readPasswords(undefined), ["from the environment"]);
    assertEquals(readPasswords(write("sécret word\n")), ["sécret word"]);
    assertEquals(readPasswords(write("word\r\n")), ["word"]);
    assertEquals(readPasswords(write(" word \n\n")), [" word "]);
    assertThrows(() => readPasswords(write("\n")), StartError, "it is empty");
    assertThrows(() => readPasswords(write("word", 0o644)), StartError, "chmod 600");
    assertThrows(() => readPasswords(`${folder}/none`), StartError, "no such file");
    assertThrows(() => readPasswords(folder), StartError, "not a file");
    Deno.env.set("INMEM_PASSWORD", "");
    assertThrows(() => readPasswords(undefined), StartError, "INMEM_PASSWORD");
  } finally {
    if (before === undefined) Deno.env.delete("INMEM_PASSWORD");
    else Deno.env.set("INMEM_PASSWORD", before);
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("parseOptions() tells users of redis-cli what does the same in client tools, and only there", () => {
  const cases: [string, string][] = [
    ["-n 0 ping", 'Cannot use unknown option "-n": there is one database'],
    ["--tls ping", 'Cannot use unknown option "--tls": TLS is used unless --plaintext is given'],
  ];
  const tables: OptionTable[] = [clientOptions, exportOptions, importOptions];
  for (const table of tables) {
    for (const [words, message] of cases) {
      assertThrows(() => parseOptions(table, words.split(" ")), UsageError, message);
    }
    assertThrows(() => parseOptions(table, ["-a", "pw"]), UsageError, "INMEM_PASSWORD");
    for (const words of [["-h"], ["--help"], ["-help"]]) {
      assertEquals((parseOptions(table, words).values as { help?: unknown }).help, true);
    }
  }
  assertEquals(parseOptions(serverOptions, ["-h", "x"]).values.help, true);
  assertThrows(() => parseOptions(serverOptions, ["-n", "0"]), UsageError, "expected one that --help lists");
});
