import { assert, assertEquals, assertLessOrEqual, assertRejects, assertStrictEquals } from "@std/assert";
import {
  BUFFER_KEEP_MAX_BYTES,
  FRAME_SIZE_MAX_BYTES,
  READ_BUFFER_BATCH_BYTES,
  READ_BUFFER_INITIAL_BYTES,
  READ_LARGE_BYTES,
  READ_MAX_BYTES,
} from "../../src/limits.ts";
import { ClientMemory } from "../../src/memory/client_memory.ts";
import { Connection, protocolOf } from "../../src/net/connection.ts";
import type { ByteSocket } from "../../src/net/connection.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/native/frame.ts";
import { write32 } from "../../src/bytes.ts";
import { concat } from "../support/hex.ts";

/** A socket whose peer sends `incoming` in pieces of at most `pieceBytes`, and accepts the same number in a write. */
class FakeSocket implements ByteSocket {
  readonly written: number[] = [];
  writes = 0;
  closes = 0;
  largestRead = 0;
  #at = 0;

  constructor(readonly incoming: Uint8Array = new Uint8Array(0), readonly pieceBytes = Infinity) {}

  read(target: Uint8Array): Promise<number | null> {
    assert(target.length > 0, "a read without room would look like the end of the connection");
    const count = Math.min(target.length, this.pieceBytes, this.incoming.length - this.#at);
    if (count === 0) return Promise.resolve(null);
    target.set(this.incoming.subarray(this.#at, this.#at + count));
    this.#at += count;
    this.largestRead = Math.max(this.largestRead, count);
    return Promise.resolve(count);
  }

  write(source: Uint8Array): Promise<number> {
    const count = Math.min(source.length, this.pieceBytes);
    for (let i = 0; i < count; i++) this.written.push(source[i]!);
    this.writes++;
    return Promise.resolve(count);
  }

  close(): void {
    this.closes++;
  }
}

/** Returns a frame of `length` bytes whose content differs from that of any other. */
function frameOf(length: number, mark: number): Uint8Array {
  const frame = new Uint8Array(FRAME_PREFIX_BYTES + length);
  write32(frame, 0, length);
  for (let i = 0; i < length; i++) frame[FRAME_PREFIX_BYTES + i] = mark + i;
  return frame;
}

/** Takes complete frames out of a connection as a role does, until its end. */
async function takeFrames(connection: Connection, visit: (frame: Uint8Array) => void): Promise<void> {
  while (await connection.fill()) {
    assertLessOrEqual(connection.end, connection.buffer.length);
    for (;;) {
      const unread = connection.end - connection.start;
      if (unread < FRAME_PREFIX_BYTES) break;
      const whole = FRAME_PREFIX_BYTES + frameLength(connection.buffer, connection.start);
      if (unread < whole) break;
      visit(connection.buffer.slice(connection.start, connection.start + whole));
      connection.start += whole;
    }
  }
}

Deno.test("protocolOf() distinguishes native from RESP for every possible first byte", () => {
  for (let byte = 0; byte < 256; byte++) {
    const character = String.fromCharCode(byte);
    const expected = byte <= 0x1f ? "native" : /[*a-zA-Z]/.test(character) ? "resp" : "unknown";
    assertEquals(protocolOf(byte), expected, `byte ${byte}`);
  }
  assertEquals(protocolOf(FRAME_SIZE_MAX_BYTES >>> 24), "native");
  // This is what a TLS client sends to a plaintext port.
  assertEquals(protocolOf(0x16), "native");
});

Deno.test("Connection fill() delivers frames that arrive in any pieces", async () => {
  const frames = [0, 1, 2, 100, 5, 1000, 3, 7, 300].map((length, index) => frameOf(length, index * 31));
  for (const pieceBytes of [1, 2, 3, 5, 7, 64, 1000, Infinity]) {
    const connection = new Connection(new FakeSocket(concat(...frames), pieceBytes));
    const taken: Uint8Array[] = [];
    await takeFrames(connection, (frame) => taken.push(frame));
    assertEquals(taken, frames, `pieces of ${pieceBytes}`);
    assertEquals(connection.start, connection.end);
  }
});

Deno.test("Connection fill() keeps its buffer while small frames flow through it", async () => {
  const frame = frameOf(60, 1);
  const count = Math.ceil(READ_BUFFER_INITIAL_BYTES * 5 / frame.length);
  const incoming = concat(...Array.from({ length: count }, () => frame));
  // 1000 does not divide the buffer's size, so unread bytes remain at its end repeatedly.
  const connection = new Connection(new FakeSocket(incoming, 1000));
  const buffer = connection.buffer;
  let taken = 0;
  await takeFrames(connection, (each) => {
    assertEquals(each, frame);
    taken++;
  });
  assertEquals(taken, count);
  assertStrictEquals(connection.buffer, buffer);
});

Deno.test("Connection fill() moves unread bytes to the front when they are at most half of a full buffer", async () => {
  const incoming = Uint8Array.from({ length: READ_BUFFER_INITIAL_BYTES * 2 }, (_, i) => i % 251);
  const connection = new Connection(new FakeSocket(incoming, READ_BUFFER_INITIAL_BYTES / 4));
  while (connection.end < READ_BUFFER_INITIAL_BYTES) assert(await connection.fill());
  const { buffer } = connection;
  const from = READ_BUFFER_INITIAL_BYTES / 2;
  connection.start = from;
  assert(await connection.fill());
  assertStrictEquals(connection.buffer, buffer);
  assertEquals([connection.start, connection.end], [0, from + READ_BUFFER_INITIAL_BYTES / 4]);
  assertEquals(buffer.slice(0, connection.end), incoming.slice(from, from + connection.end));
});

Deno.test("Connection fill() doubles its buffer for a large frame, and releases it when empty", async () => {
  const large = frameOf(BUFFER_KEEP_MAX_BYTES * 3, 5);
  const socket = new FakeSocket(concat(frameOf(10, 1), large, frameOf(10, 2)), 50_000);
  const connection = new Connection(socket);
  const lengths: number[] = [];
  const seen = new Set<number>();
  await takeFrames(connection, (frame) => {
    lengths.push(frame.length);
    seen.add(connection.buffer.length);
    if (frame.length === large.length) assertEquals(frame, large);
  });
  assertEquals(lengths, [14, large.length, 14]);
  assertLessOrEqual(Math.max(...seen), large.length * 2 + READ_BUFFER_INITIAL_BYTES);
  connection.start = connection.end;
  assertEquals(await connection.fill(), false);
  assertEquals(connection.buffer.length, READ_BUFFER_BATCH_BYTES);
});

Deno.test("Connection fill() has a larger buffer for a peer that sends much, and a small one for others", async () => {
  const connection = new Connection(new FakeSocket(new Uint8Array(READ_BUFFER_BATCH_BYTES * 4)));
  const sizes: number[] = [];
  while (await connection.fill()) {
    sizes.push(connection.end - connection.start);
    connection.start = connection.end;
  }
  assertEquals(sizes[0], READ_BUFFER_INITIAL_BYTES);
  assertEquals(Math.max(...sizes), READ_BUFFER_BATCH_BYTES);
  // The same holds if each read ends within a request, as nearly all do.
  const uneven = new Connection(new FakeSocket(new Uint8Array(READ_BUFFER_BATCH_BYTES * 4)));
  while (await uneven.fill()) uneven.start = uneven.end - 10;
  assertEquals(uneven.buffer.length, READ_BUFFER_BATCH_BYTES);
  const quiet = new Connection(new FakeSocket(new Uint8Array(1000), 100));
  while (await quiet.fill()) quiet.start = quiet.end;
  assertEquals(quiet.buffer.length, READ_BUFFER_INITIAL_BYTES);
});

Deno.test("Connection fill() keeps unread bytes when it grows from any position", async () => {
  for (const start of [0, 1, READ_BUFFER_INITIAL_BYTES / 2 - 1]) {
    const incoming = Uint8Array.from({ length: READ_BUFFER_INITIAL_BYTES * 3 }, (_, i) => i % 253);
    const connection = new Connection(new FakeSocket(incoming));
    await connection.fill();
    connection.start = start;
    await connection.fill();
    assertEquals(connection.buffer.length, READ_BUFFER_INITIAL_BYTES * 4);
    const unread = connection.buffer.slice(connection.start, connection.end);
    assertEquals(unread, incoming.slice(start, start + unread.length));
    assert(unread.length > READ_BUFFER_INITIAL_BYTES);
  }
});

Deno.test("Connection fill() grows as bytes arrive, not as a prefix announces", async () => {
  const promise = new Uint8Array(FRAME_PREFIX_BYTES);
  write32(promise, 0, FRAME_SIZE_MAX_BYTES);
  const connection = new Connection(new FakeSocket(promise));
  await connection.fill();
  assertEquals(await connection.fill(), false);
  assertEquals(connection.buffer.length, READ_BUFFER_INITIAL_BYTES);
});

Deno.test("Connection reserve() makes room for a long request in few steps, according to the part that has arrived", async () => {
  const size = 20 * 1024 * 1024;
  const connection = new Connection(new FakeSocket(new Uint8Array(size), 16 * 1024));
  const buffers = new Set<Uint8Array>();
  while (connection.end < size) {
    assert(await connection.fill());
    connection.reserve(size);
    buffers.add(connection.buffer);
    // The part that has arrived justifies the buffer: 2 MiB are enough for the whole request.
    const most = connection.end < 2 * 1024 * 1024 ? connection.end * 8 : size + READ_BUFFER_BATCH_BYTES;
    assertLessOrEqual(connection.buffer.length, Math.max(READ_BUFFER_BATCH_BYTES, most));
  }
  assertEquals([connection.start, connection.end], [0, size]);
  assertLessOrEqual(buffers.size, 7);
  // The buffer also has room for what follows a long argument.
  assertEquals(connection.buffer.length, size + READ_BUFFER_BATCH_BYTES);
  // A request that is announced and does not arrive uses no memory.
  const silent = new Connection(new FakeSocket(new Uint8Array(10)));
  await silent.fill();
  silent.reserve(size);
  assertEquals(silent.buffer.length, READ_BUFFER_INITIAL_BYTES);
});

Deno.test("Connection writable() is small for the first read of a large request, and large for the next", async () => {
  const connection = new Connection(new FakeSocket(new Uint8Array(8 * READ_MAX_BYTES)));
  const reads: number[] = [];
  const read = async () => {
    const before = connection.end;
    await connection.fill();
    reads.push(connection.end - before);
  };
  while (connection.end < READ_BUFFER_BATCH_BYTES) await read();
  connection.reserve(8 * READ_MAX_BYTES);
  assert(!connection.hasReadMuch || reads.at(-1)! >= READ_LARGE_BYTES);
  // The last read has filled the buffer, so more bytes are expected.
  reads.length = 0;
  await read();
  assert(connection.hasReadMuch);
  assert(reads[0]! > READ_LARGE_BYTES && reads[0]! <= READ_MAX_BYTES, `${reads}`);
  const slow = new Connection(new FakeSocket(new Uint8Array(READ_MAX_BYTES), 1000));
  while (slow.end < READ_BUFFER_BATCH_BYTES) await slow.fill();
  slow.reserve(READ_MAX_BYTES);
  await slow.fill();
  assert(!slow.hasReadMuch);
  assertEquals(slow.writable().length, READ_LARGE_BYTES);
});

Deno.test("Connection prepare() makes room for the expected size of a long request, while clients use little", async () => {
  for (const [limitBytes, isReserved] of [[Infinity, true], [8 * 1024 * 1024, false]] as const) {
    const memory = new ClientMemory({ limitBytes });
    const connection = new Connection(new FakeSocket(new Uint8Array(20 * 1024 * 1024)), memory.openShared());
    const expected = 16 * 1024 * 1024;
    do {
      await connection.fill();
      connection.prepare({ needed: 0, expected });
    } while (connection.end < 1024 * 1024);
    assertEquals(connection.buffer.length >= expected, isReserved, `${connection.buffer.length}`);
    connection.free();
    assertEquals(memory.usedBytes, 0);
  }
});

Deno.test("Connection move() moves a long request in parts, and writable() returns the rest of the space", async () => {
  const incoming = new Uint8Array(12_000_000).map((_, i) => i * 31 + (i >> 8));
  for (const partsBefore of [Infinity, 2, 0]) {
    const memory = new ClientMemory({ limitBytes: Infinity });
    const connection = new Connection(new FakeSocket(incoming), memory.openShared());
    let parts = 0;
    const turns = {
      isTurnLong: false,
      readTurn: () => ++parts > partsBefore ? Promise.reject(new Error("enough")) : Promise.resolve(),
    };
    // The needed size grows with each read, as for a request of several long arguments.
    while (await connection.fill()) {
      connection.prepare({ needed: connection.end + 1_000_000, expected: 0 });
      if (connection.isMoving && partsBefore > 0) await connection.move(turns).catch(() => {});
    }
    assertEquals(parts > 2, partsBefore > 0);
    assertEquals(connection.isMoving, false);
    assertEquals(connection.end, incoming.length);
    const unread = connection.buffer.subarray(connection.start, connection.end);
    assertEquals(unread.findIndex((byte, i) => byte !== incoming[i]), -1);
    connection.free();
    assertEquals(memory.usedBytes, 0);
  }
});

Deno.test("Connection drop() reads to the end, and lets other tasks run", async () => {
  const socket = new FakeSocket(new Uint8Array(3_000_000), 100_000);
  const connection = new Connection(socket);
  let turns = 0;
  await connection.drop({
    isTurnLong: true,
    readTurn: () => {
      turns++;
      return Promise.resolve();
    },
  });
  assertEquals(await socket.read(new Uint8Array(1)), null);
  assert(turns >= 3_000_000 / READ_BUFFER_BATCH_BYTES - 10, `${turns} turns`);
  assertLessOrEqual(connection.buffer.length, READ_BUFFER_BATCH_BYTES);
});

Deno.test("Connection detach() gives the buffer away, and continues with the next bytes", async () => {
  const memory = new ClientMemory({ limitBytes: Infinity });
  const bytes = new Uint8Array(300_000).map((_, i) => i);
  const connection = new Connection(new FakeSocket(bytes), memory.openShared());
  while (connection.end < bytes.length) {
    assert(await connection.fill());
    connection.reserve(bytes.length);
  }
  const before = connection.buffer;
  const detached = connection.detach(299_000);
  assert(detached === before);
  assertEquals(detached.subarray(0, 299_000), bytes.subarray(0, 299_000));
  assertEquals([connection.start, connection.end], [0, 1000]);
  assertEquals(connection.buffer.subarray(0, 1000), bytes.subarray(299_000));
  assertEquals(memory.usedBytes, connection.buffer.length);
  connection.free();
  assertEquals(memory.usedBytes, 0);
});

Deno.test("Connection fill() returns false at the end, with an incomplete frame unread", async () => {
  const connection = new Connection(new FakeSocket(Uint8Array.of(0, 0, 0, 9, 0x92)));
  assert(await connection.fill());
  assertEquals(await connection.fill(), false);
  assertEquals([connection.start, connection.end], [0, 5]);
});

Deno.test("Connection fill() and write() throw the error of the socket", async () => {
  const failing: ByteSocket = {
    read: () => Promise.reject(new Deno.errors.ConnectionReset("reset")),
    write: () => Promise.reject(new Deno.errors.BrokenPipe("pipe")),
    close: () => {},
  };
  const connection = new Connection(failing);
  await assertRejects(() => connection.fill(), Deno.errors.ConnectionReset);
  await assertRejects(() => connection.write(Uint8Array.of(1)), Deno.errors.BrokenPipe);
});

Deno.test("Connection readAhead() does not move borrowed bytes, regardless of the free space", async () => {
  for (
    const unread of [0, 10, READ_BUFFER_INITIAL_BYTES / 2, READ_BUFFER_INITIAL_BYTES - 1, READ_BUFFER_INITIAL_BYTES]
  ) {
    const incoming = Uint8Array.from({ length: READ_BUFFER_INITIAL_BYTES * 20 }, (_, i) => i % 251);
    const connection = new Connection(new FakeSocket(incoming));
    await connection.fill();
    // Everything but the unread bytes was taken out, and is still borrowed.
    connection.start = connection.end - unread;
    const borrowed = connection.buffer;
    const before = borrowed.slice();
    for (let i = 0; i < 3; i++) assert(await connection.readAhead());
    assertEquals(borrowed, before.map((byte, i) => i < READ_BUFFER_INITIAL_BYTES ? byte : borrowed[i]!));
    const from = READ_BUFFER_INITIAL_BYTES - unread;
    const read = connection.buffer.slice(connection.start, connection.end);
    assert(read.length > unread);
    assertEquals(read, incoming.slice(from, from + read.length), `${unread} bytes unread`);
  }
});

Deno.test("Connection fill() waits for a readAhead() in progress, and reads itself after it", async () => {
  const reads: PromiseWithResolvers<number | null>[] = [];
  const socket: ByteSocket = {
    read() {
      reads.push(Promise.withResolvers());
      return reads.at(-1)!.promise;
    },
    write: (source) => Promise.resolve(source.length),
    close() {},
  };
  const connection = new Connection(socket);
  const ahead = connection.readAhead();
  assertStrictEquals(connection.readAhead(), ahead, "one read at a time");
  const filled = connection.fill();
  assertEquals(reads.length, 1);
  reads[0]!.resolve(5);
  assertEquals([await ahead, await filled], [true, true]);
  assertEquals([connection.start, connection.end], [0, 5]);
  const next = connection.fill();
  assertEquals(reads.length, 2);
  reads[1]!.resolve(null);
  assertEquals(await next, false);
  const last = connection.readAhead();
  const also = connection.fill();
  reads[2]!.reject(new Deno.errors.ConnectionReset("gone"));
  await assertRejects(() => last, Deno.errors.ConnectionReset);
  await assertRejects(() => also, Deno.errors.ConnectionReset);
});

Deno.test("Connection write() continues until everything is written", async () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
  for (const pieceBytes of [1, 7, 99, 100, Infinity]) {
    const socket = new FakeSocket(undefined, pieceBytes);
    await new Connection(socket).write(bytes);
    assertEquals(socket.written, [...bytes]);
    assertEquals(socket.writes, Math.ceil(100 / Math.min(pieceBytes, 100)));
  }
});

Deno.test("Connection close() closes once, regardless of the socket's error", () => {
  const socket = new FakeSocket();
  const connection = new Connection(socket);
  assertEquals(connection.closed, false);
  connection.close();
  connection.close();
  assertEquals([socket.closes, connection.closed], [1, true]);
  const broken: ByteSocket = {
    read: () => Promise.resolve(null),
    write: (source) => Promise.resolve(source.length),
    close: () => {
      throw new Deno.errors.BadResource("gone");
    },
  };
  new Connection(broken).close();
});
