import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { decode } from "@std/msgpack";
import { ReplyError } from "../../src/errors.ts";
import {
  ARGUMENTS_MAX_COUNT,
  AUTHENTICATION_TIMEOUT_MS,
  FRAME_SIZE_MAX_BYTES,
  FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES,
  HANDSHAKE_TIMEOUT_MS,
  KEY_SIZE_MAX_BYTES,
  NESTING_MAX_DEPTH,
  REPLY_SIZE_MAX_BYTES,
  VALUE_SIZE_MAX_BYTES,
  WRITE_TIMEOUT_MS,
} from "../../src/limits.ts";
import { decodeReply } from "../../src/wire/native/reply_reader.ts";
import { decodeRequest } from "../../src/wire/native/request_decoder.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/native/frame.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../../src/wire/native/request_writer.ts";
import { Request } from "../../src/wire/request.ts";
import { toHex } from "../support/hex.ts";
import { argumentBytes, readExamples } from "../support/protocol_examples.ts";

const page = Deno.readTextFileSync(new URL("../../src/wire/PROTOCOL.md", import.meta.url));
const examples = readExamples();

Deno.test("PROTOCOL.md shows requests and replies alternately, each after its length", () => {
  assert(examples.length >= 20);
  examples.forEach(({ from, bytes }, index) => {
    assertEquals(from, index % 2 === 0 ? "client" : "server");
    assertEquals(frameLength(bytes, 0), bytes.length - FRAME_PREFIX_BYTES, toHex(bytes));
  });
  const shown = page.matchAll(/^(client|server) {2}/gm);
  assertEquals([...shown].length, examples.length, "every example of the page is read");
});

Deno.test("PROTOCOL.md shows the requests that NativeRequestWriter writes and decodeRequest() decodes", () => {
  for (const { bytes, meaning } of examples.filter(({ from }) => from === "client")) {
    assert(Array.isArray(meaning));
    const writer = new NativeRequestWriter();
    writer.add(meaning as Argument[]);
    assertEquals(toHex(writer.take()), toHex(bytes));
    const request = new Request();
    decodeRequest(bytes, FRAME_PREFIX_BYTES, bytes.length, request);
    assertEquals(meaning.map((_, index) => request.view(index).slice()), meaning.map(argumentBytes));
    assert(Array.isArray(decode(bytes.subarray(FRAME_PREFIX_BYTES))));
  }
});

Deno.test("PROTOCOL.md shows replies that decodeReply() decodes as the page says", () => {
  for (const { bytes, meaning } of examples.filter(({ from }) => from === "server")) {
    assert(Array.isArray(meaning));
    const reply = decodeReply(bytes, FRAME_PREFIX_BYTES, bytes.length);
    if (meaning[0] === 0) {
      assertEquals(reply, meaning[1]!);
    } else {
      assertInstanceOf(reply, ReplyError);
      assertEquals([1, reply.code, reply.message], meaning);
    }
  }
});

Deno.test("PROTOCOL.md contains the limits of limits.ts", () => {
  const comma = (count: number) => count.toLocaleString("en-US");
  const sizes = [FRAME_SIZE_MAX_BYTES, FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES, ARGUMENTS_MAX_COUNT, KEY_SIZE_MAX_BYTES];
  for (const size of [...sizes, VALUE_SIZE_MAX_BYTES, REPLY_SIZE_MAX_BYTES]) assertStringIncludes(page, comma(size));
  const row = (name: string) => page.split("\n").find((line) => line.startsWith(`| ${name}`)) ?? "";
  assertStringIncludes(row("TLS handshake"), `${HANDSHAKE_TIMEOUT_MS / 1000} s`);
  assertStringIncludes(row("authentication,"), `${AUTHENTICATION_TIMEOUT_MS / 1000} s`);
  assertStringIncludes(row("reading replies"), `${WRITE_TIMEOUT_MS / 1000} s`);
  assertStringIncludes(page, `at most ${NESTING_MAX_DEPTH} deep`);
});

Deno.test("PROTOCOL.md lists every code of errors.ts", () => {
  const source = Deno.readTextFileSync(new URL("../../src/errors.ts", import.meta.url));
  const union = source.slice(source.indexOf("export type ReplyCode"), source.indexOf("/** The parent"));
  const codes = [...union.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code!);
  assert(codes.length >= 10);
  const listed = [...page.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code!);
  assertEquals(listed.sort(), codes.sort());
});
