import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { CONFIG_FILE_MAX_BYTES } from "../../src/limits.ts";
import { parseConfigured, readConfigFile } from "../../src/role/config_file.ts";
import { certsOptions, proxyOptions, serverOptions } from "../../src/role/option_tables.ts";
import { type Option, parseOptions } from "../../src/role/options.ts";

/** Runs a test with a folder for its files. */
function withFolder(name: string, run: (folder: string) => void): void {
  Deno.test(name, () => {
    const folder = Deno.makeTempDirSync();
    try {
      run(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

function write(folder: string, content: string | Uint8Array): string {
  const path = `${folder}/inmem.json`;
  if (typeof content === "string") Deno.writeTextFileSync(path, content);
  else Deno.writeFileSync(path, content);
  return path;
}

withFolder("a config file has each option of both roles, with the value of the command line", (folder) => {
  const texts = {
    flag: true,
    text: "text",
    count: 7,
    size: "8mb",
    duration: "700ms",
    percent: "7%",
    address: ":7",
    server: ":7",
  };
  for (const table of [serverOptions, proxyOptions]) {
    for (const [name, option] of Object.entries<Option>(table.options)) {
      if (option.onlyTyped || name === "config") continue;
      const value = option.choices?.at(-1) ?? texts[option.kind];
      const path = write(folder, JSON.stringify({ [name]: value }));
      const typed = option.kind === "flag" ? [`--${name}`] : [`--${name}`, String(value)];
      const environment = () => undefined;
      const fromFile = parseOptions(table, [], { environment, file: readConfigFile(path, table) });
      assertEquals(fromFile.values, parseOptions(table, typed, { environment }).values, name);
    }
  }
});

withFolder("parseConfigured() prefers the command line to the file, and reads the file again", (folder) => {
  const path = write(folder, '\ufeff{"addr": ":1", "max-memory": 8388608, "slow-command": 1.5, "no-auth": false}\r\n');
  const options = parseConfigured(serverOptions, ["--config", path, "--addr", ":2"])!;
  assertEquals(options.path, path);
  const { values } = options;
  assertEquals([values.addr.port, values["max-memory"], values["slow-command"]], [2, 8 * 1024 ** 2, 1_500]);
  write(folder, '{"max-memory": "9mb"}');
  assertEquals(options.reread()["max-memory"], 9 * 1024 ** 2);
  assertEquals(options.reread()["slow-command"], 10);
  write(folder, "{");
  assertThrows(() => options.reread(), UsageError, "line 1, column 2");
  assertEquals(parseConfigured(serverOptions, [])!.path, undefined);
  const certs = readConfigFile(write(folder, '{"host": ["a", "b"]}'), certsOptions);
  assertEquals(parseOptions(certsOptions, [], { file: certs }).values.host, ["a", "b"]);
});

withFolder("a wrong config file is refused with one line that has the position", (folder) => {
  const cases: [text: string, line: number, column: number, message: string][] = [
    ['{\n  "max-memroy": "1gb"\n}', 2, 3, 'there is no option "max-memroy": did you mean "max-memory"?'],
    ['{"maxMemory": "1gb"}', 1, 2, 'there is no option "maxMemory": did you mean "max-memory"?'],
    ['{"MAX_MEMORY": "1gb"}', 1, 2, 'there is no option "MAX_MEMORY": did you mean "max-memory"?'],
    ['{"--max-memory": "1gb"}', 1, 2, 'there is no option "--max-memory": did you mean "max-memory"?'],
    ['{"__proto__": 1}', 1, 2, 'there is no option "__proto__": expected an option that --help lists'],
    ['{"constructor": 1}', 1, 2, 'there is no option "constructor": expected'],
    ['{"help": true}', 1, 2, '"help" cannot be in the file'],
    ['{"config": "other.json"}', 1, 2, '"config" cannot be in the file'],
    ['{"max-memory": "lots"}', 1, 16, 'Cannot parse size "lots": expected bytes, or such as 100kb, 64mb, 1.5gb'],
    ['{"max-memory": 1}', 1, 16, 'Cannot use size "1": expected 4mb to 32gb ("max-memory")'],
    ['{"max-memory": null}', 1, 16, 'expected "max-memory" to be a size such as "512mb", found null'],
    ['{"max-memory": ["1gb"]}', 1, 17, 'expected "max-memory" to be a size such as "512mb", found a list'],
    ['{"eviction": "lfu"}', 1, 14, 'Cannot use "eviction" "lfu": expected lru or none'],
    ['{"eviction": true}', 1, 14, 'expected "eviction" to be "lru" or "none", found true'],
    ['{"no-auth": "yes"}', 1, 13, 'expected "no-auth" to be true or false, found "yes"'],
    ['{"no-auth": 1}', 1, 13, 'expected "no-auth" to be true or false, found 1'],
    ['{"data": 5}', 1, 10, 'expected "data" to be text, found 5'],
    ['{"data": ""}', 1, 10, 'expected "data" to be text, found ""'],
    ['{"data": "a\\u0000b"}', 1, 10, 'expected "data" to be text, found "a\\u0000b"'],
    ['{"addr": 9443}', 1, 10, 'expected "addr" to be text such as "127.0.0.1:9443", found 9443'],
    ['{"max-clients": 1e3}', 1, 17, 'Cannot parse number "1e3": expected 1 to 1000000'],
    ['{"addr": ":1",\n "addr": ":2"}', 2, 2, 'the field "addr" is there twice, first on line 1'],
    ['{"addr": ":1", // comment\n}', 1, 16, "comments are not allowed in JSON"],
    ["", 1, 1, "the text ends too early"],
    ['{"max-memory": "1g', 1, 16, "the text in quotes does not end"],
    ["\u0000\u0000", 1, 1, "expected an object in braces"],
  ];
  for (const [text, line, column, message] of cases) {
    const path = write(folder, text);
    const error = assertThrows(() => readConfigFile(path, serverOptions), UsageError);
    const expected = `Cannot use the config file "${path}": line ${line}, column ${column}: ${message}`;
    assert(error.message.startsWith(expected), `${text}\n${error.message}`);
    assert(!/[\n\0]/.test(error.message));
    // The command line overrides a value, but does not hide that the file is wrong.
    assertThrows(() => parseConfigured(serverOptions, ["--config", path, "--max-memory", "1gb"]), UsageError);
  }
});

withFolder("a config file that is no readable text is refused, and never waited for", (folder) => {
  const large = write(folder, `{"data": "${"x".repeat(CONFIG_FILE_MAX_BYTES)}"}`);
  assertThrows(() => readConfigFile(large, serverOptions), UsageError, `expected at most ${CONFIG_FILE_MAX_BYTES}`);
  const sparse = `${folder}/sparse`;
  Deno.writeTextFileSync(sparse, "");
  Deno.truncateSync(sparse, 2 ** 30);
  assertThrows(() => readConfigFile(sparse, serverOptions), UsageError, "it has 1073741824 bytes");
  const encoded = write(folder, new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0]));
  assertThrows(() => readConfigFile(encoded, serverOptions), UsageError, "expected UTF-8 text");
  assertThrows(() => readConfigFile(folder, serverOptions), UsageError, "it is not a file");
  assertThrows(() => readConfigFile(`${folder}/none`, serverOptions), UsageError, "there is no such file");
  assertThrows(() => readConfigFile("/dev/zero", serverOptions), UsageError, "it is not a file");
  const pipe = `${folder}/pipe`;
  assert(new Deno.Command("mkfifo", { args: [pipe] }).outputSync().success);
  assertThrows(() => readConfigFile(pipe, serverOptions), UsageError, "it is not a file");
  assertThrows(() => readConfigFile("", serverOptions), UsageError, "Cannot read the config file");
});
