/**
 * A snapshot whose disk is slower than the commands' changes: writing commands are delayed before the queue is full.
 */

import { assertEquals, assertRejects } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import type { Files, LogFile } from "../../src/log/files.ts";
import { SnapshotWriter } from "../../src/log/snapshot.ts";
import { pause } from "../support/pause.ts";

const QUEUE_MAX_BYTES = 1024 * 1024;
const KEY = encodeText("key");
const VALUE = new Uint8Array(30_000);

/** A file on a disk that writes nothing until the test allows it. */
class StalledFile implements LogFile {
  writtenBytes = 0;
  #stalled = Promise.withResolvers<void>();

  release(): void {
    this.#stalled.resolve();
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#stalled.promise;
    this.writtenBytes += bytes.length;
    return bytes.length;
  }

  writeSync = (bytes: Uint8Array) => bytes.length;
  readSync = () => null;
  seekSync = () => 0;
  syncData = () => Promise.resolve();
  truncate = () => Promise.resolve();
  truncateSync = () => {};
  statSync = () => ({ size: this.writtenBytes, dev: 1, ino: 1 });
  close = () => {};
}

function makeWriter(): { writer: SnapshotWriter; file: StalledFile; held: Promise<void>[] } {
  const file = new StalledFile();
  const held: Promise<void>[] = [];
  const files = { create: () => file } as unknown as Files;
  const onBehind = (caughtUp: Promise<void>) => void held.push(caughtUp);
  return { writer: new SnapshotWriter(files, "/x", () => 0, { queueMaxBytes: QUEUE_MAX_BYTES, onBehind }), file, held };
}

/** Adds about `sizeBytes` of changes by commands. */
function change(writer: SnapshotWriter, sizeBytes: number): void {
  for (let added = 0; added < sizeBytes; added += VALUE.length) {
    writer.records.setString(KEY, 0, KEY.length, 0, VALUE, 0, VALUE.length, undefined);
    writer.cut();
  }
}

Deno.test("SnapshotWriter delays commands when half of its queue is full, until a quarter is left", async () => {
  const { writer, file, held } = makeWriter();
  change(writer, QUEUE_MAX_BYTES * 0.4);
  assertEquals(held.length, 0);
  change(writer, QUEUE_MAX_BYTES * 0.4);
  assertEquals(held.length, 1);
  let isReleased = false;
  void held[0]!.then(() => isReleased = true);
  await pause(0);
  assertEquals(isReleased, false);
  file.release();
  await held[0];
  // The next delay has another promise.
  change(writer, QUEUE_MAX_BYTES * 0.7);
  await held[1];
  const { sizeBytes } = await writer.finish(1, 1);
  assertEquals(file.writtenBytes, sizeBytes);
});

Deno.test("SnapshotWriter fails when its queue is full nevertheless, and then delays no command", async () => {
  const { writer, file, held } = makeWriter();
  change(writer, QUEUE_MAX_BYTES * 1.2);
  assertEquals(held.length, 1);
  await held[0];
  file.release();
  await assertRejects(() => writer.finish(1, 1), Error, "commands change more data than the disk can write");
});

Deno.test("SnapshotWriter.abandon() ends the delay", async () => {
  const { writer, file, held } = makeWriter();
  change(writer, QUEUE_MAX_BYTES * 0.8);
  file.release();
  await writer.abandon();
  await held[0];
});
