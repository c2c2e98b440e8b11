import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { memorySockets } from "../../src/net/memory_socket.ts";
import { writeAll } from "../../src/net/socket.ts";

/** Reads until the end, at most `size` bytes at a time. */
async function readAll(socket: { read(target: Uint8Array): Promise<number | null> }, size: number): Promise<number[]> {
  const bytes: number[] = [];
  const target = new Uint8Array(size);
  for (let count = await socket.read(target); count !== null; count = await socket.read(target)) {
    bytes.push(...target.subarray(0, count));
  }
  return bytes;
}

Deno.test("memorySockets() carries bytes in order, both ways, for any sizes of reads and writes", async () => {
  for (const [writeSize, readSize] of [[1, 1], [1, 64], [64, 1], [7, 5], [64, 64]] as const) {
    const [client, server] = memorySockets();
    const bytes = Uint8Array.from({ length: 200 }, (_, i) => i);
    for (const [from, to] of [[client, server], [server, client]] as const) {
      const reading = readAll(to, readSize);
      for (let i = 0; i < bytes.length; i += writeSize) await writeAll(from, bytes.subarray(i, i + writeSize));
      await from.closeWrite();
      assertEquals(await reading, [...bytes]);
    }
  }
});

Deno.test("memorySockets() lets a write wait until it is read, and takes as much as fits", async () => {
  const [client, server] = memorySockets();
  const events: string[] = [];
  const writing = client.write(new Uint8Array(10)).then((count) => events.push(`wrote ${count}`));
  await Promise.resolve();
  assertEquals(events, []);
  assertEquals(await server.read(new Uint8Array(4)), 4);
  await writing;
  assertEquals(events, ["wrote 4"]);
  assertEquals(await client.write(new Uint8Array(0)), 0);
});

Deno.test("memorySockets() fails what is under way when an end is closed, as a real connection does", async () => {
  {
    const [client, server] = memorySockets();
    const reading = assertRejects(() => client.read(new Uint8Array(1)), Deno.errors.BadResource);
    const peerReading = server.read(new Uint8Array(1));
    client.close();
    await reading;
    assertEquals(await peerReading, null);
    await assertRejects(() => server.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
    await assertRejects(() => client.write(new Uint8Array(1)), Deno.errors.BadResource);
    await assertRejects(() => client.read(new Uint8Array(1)), Deno.errors.BadResource);
    assertThrows(() => client.close(), Deno.errors.BadResource);
    server.close();
  }
  const [client, server] = memorySockets();
  const writing = assertRejects(() => client.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
  server.close();
  await writing;
  const own = memorySockets()[0];
  const ownWriting = assertRejects(() => own.write(new Uint8Array(1)), Deno.errors.BadResource);
  own.close();
  await ownWriting;
});
