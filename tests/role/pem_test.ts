import { assertEquals, assertThrows } from "@std/assert";
import { formatPem, isOneSequence, parsePem, PemError } from "../../src/role/pem.ts";

const BYTES = Uint8Array.from({ length: 100 }, (_, i) => i * 7);
const BLOCK = formatPem("THING", BYTES);
const OTHER = formatPem("OTHER THING 2", Uint8Array.of(1));

function parse(text: string) {
  return parsePem(new TextEncoder().encode(text));
}

/** Returns labels with positions, such as `THING 1 at 3`. */
function outline(text: string): string {
  return parse(text).map(({ label, number, line }) => `${label} ${number} at ${line}`).join(", ");
}

Deno.test("parsePem() reads what formatPem() writes", () => {
  assertEquals(parse(BLOCK), [{ label: "THING", bytes: BYTES, isEncrypted: false, number: 1, line: 1 }]);
  for (const length of [1, 2, 3, 47, 48, 49, 96]) {
    assertEquals(parse(formatPem("THING", BYTES.subarray(0, length)))[0]!.bytes, BYTES.slice(0, length));
  }
});

const BODY = BLOCK.split("\n").slice(1, -2).join("\n");
const HEADERS = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n 11";

const ACCEPTED: Readonly<Record<string, [text: string, outline: string]>> = {
  "text around blocks": [`one\ntwo\n${BLOCK}three\n${OTHER}four`, "THING 1 at 3, OTHER THING 2 2 at 9"],
  "a byte order mark": [`\ufeff${BLOCK}`, "THING 1 at 1"],
  "lines that end with CR LF": [BLOCK.replaceAll("\n", "\r\n"), "THING 1 at 1"],
  "lines that end with CR": [BLOCK.replaceAll("\n", "\r"), "THING 1 at 1"],
  "no newline at the end": [BLOCK.trimEnd(), "THING 1 at 1"],
  "blanks in and around lines": [BLOCK.replace(/^(.{9})/gm, "  $1").replaceAll("\n", " \t\n"), "THING 1 at 1"],
  "blanks within base64": [BLOCK.replace(BODY, BODY.replace(/(.{8})/g, "$1 ")), "THING 1 at 1"],
  "empty lines within base64": [BLOCK.replace(BODY, BODY.replaceAll("\n", "\n\n")), "THING 1 at 1"],
  "base64 in one line": [BLOCK.replace(BODY, BODY.replaceAll("\n", "")), "THING 1 at 1"],
  "headers": [BLOCK.replace(BODY, `Comment: x\n\n${BODY}`), "THING 1 at 1"],
  "a second block in the line behind": [BLOCK + BLOCK, "THING 1 at 1, THING 2 at 6"],
};

for (const [name, [text, expected]] of Object.entries(ACCEPTED)) {
  Deno.test(`parsePem() accepts ${name}`, () => {
    assertEquals(outline(text), expected);
    assertEquals(parse(text)[0]!.bytes, BYTES);
  });
}

Deno.test("parsePem() reports which blocks are encrypted", () => {
  assertEquals(parse(BLOCK.replace(BODY, `${HEADERS}\n\n${BODY}`))[0]!.isEncrypted, true);
  assertEquals(parse(BLOCK.replace(BODY, `Proc-Type: 4,MIC-CLEAR\n\n${BODY}`))[0]!.isEncrypted, false);
  assertEquals(parse(formatPem("ENCRYPTED PRIVATE KEY", BYTES))[0]!.isEncrypted, true);
});

const REFUSED: Readonly<Record<string, [text: string, message: string]>> = {
  "nothing": ["", "it is empty"],
  "no block": ["hello\n", "expected PEM with -----BEGIN"],
  "a block that is cut off": [OTHER + BLOCK.slice(0, 60), 'block 2 ("THING", line 4) is cut off'],
  "a block cut off in its last line": [BLOCK.slice(0, -5), "line 5: expected -----END THING-----"],
  "a block within which another begins": [
    BLOCK.slice(0, 60) + "\n" + OTHER,
    'block 1 ("THING", line 1) is not whole: line 3',
  ],
  "a block that ends as another": [BLOCK.replace("END THING", "END OTHER"), "line 5: expected -----END THING-----"],
  "a block without a beginning": [BLOCK.slice(BLOCK.indexOf("\n")), 'line 5: "THING" ends without a beginning'],
  "dashes that are missing before": [BLOCK.replace("-----BEGIN", "----BEGIN"), "line 1: expected -----BEGIN"],
  "dashes that are missing behind": [BLOCK.replace("G-----", "G----"), "line 1: expected -----BEGIN"],
  "what is not base64": [BLOCK.replace(BODY, `!${BODY}`), 'block 1 ("THING", line 1) is damaged: line 2 is not base64'],
  "base64 that is too short": [BLOCK.replace(BODY, BODY.replace(/.=*$/, "")), "its base64 is not whole"],
  "padding in the middle": [BLOCK.replace(BODY, `AA==${BODY}`), "its base64 is not whole"],
  "letters that are not ASCII": [BLOCK.replace(BODY, `é${BODY}`), "line 2 is not base64"],
  "an empty block": [BLOCK.replace(`${BODY}\n`, ""), 'block 1 ("THING", line 1) is empty'],
  "headers and nothing": [BLOCK.replace(BODY, "Comment: x\n"), "is empty"],
  "all in one line": [BLOCK.replaceAll("\n", ""), "line 1: expected -----BEGIN"],
};

for (const [name, [text, message]] of Object.entries(REFUSED)) {
  Deno.test(`parsePem() refuses ${name}`, () => {
    assertThrows(() => parse(text), PemError, message);
  });
}

Deno.test("parsePem() names the form of a file that is not PEM", () => {
  assertThrows(() => parsePem(Uint8Array.of(0x30, 0x77, 2, 1, 1)), PemError, "it is binary");
  assertThrows(() => parsePem(Uint8Array.of(0xff, 0xfe, 0x2d, 0)), PemError, "it is UTF-16");
  assertThrows(() => parsePem(new Uint8Array(1000)), PemError, "expected PEM");
});

Deno.test("parsePem() refuses a text that is truncated anywhere within its blocks", () => {
  for (let length = 1; length < BLOCK.length - 1; length++) assertThrows(() => parse(BLOCK.slice(0, length)), PemError);
});

Deno.test("isOneSequence() requires DER of exactly that length", () => {
  const long = new Uint8Array(4 + 300);
  long.set([0x30, 0x82, 1, 44]);
  assertEquals([isOneSequence(Uint8Array.of(0x30, 1, 5)), isOneSequence(Uint8Array.of(0x30, 0)), isOneSequence(long)], [
    true,
    true,
    true,
  ]);
  const refused = [[], [0x30], [0x30, 1], [0x30, 1, 5, 5], [0x31, 1, 5], [0x30, 0x80, 0, 0], [
    0x30,
    0x85,
    0,
    0,
    0,
    0,
    1,
    1,
  ]];
  for (const bytes of refused) assertEquals(isOneSequence(Uint8Array.from(bytes)), false, `${bytes}`);
  assertEquals(isOneSequence(long.subarray(1)), false);
  assertEquals(isOneSequence(long.subarray(0, 303)), false);
});
