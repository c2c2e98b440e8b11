/**
 * A server for tests of the observer. It serves the observer's requests, but each 20th time it has the fault that its
 * argument names: it computes for a number of ms (`burn:80`), waits (`sleep:1200`), returns another value (`wrong`),
 * refuses (`error`) or closes the connection (`close`). It prints its port.
 *
 * @module
 */

import process from "node:process";
import { pause } from "../../support/pause.ts";

const FAULT_INTERVAL = 20;

async function serve(socket: Deno.Conn, fault: string): Promise<void> {
  const [kind, durationMs] = fault.split(":");
  const buffer = new Uint8Array(4096);
  for (let number = 1;; number++) {
    const read = await socket.read(buffer);
    if (read === null) return;
    const isFaulty = number % FAULT_INTERVAL === 0;
    const request = new TextDecoder().decode(buffer.subarray(0, read));
    // A request is *3 $3 set $… key $… value *2 $3 get $… key, one item a line.
    let value = request.split("\r\n")[6]!;
    if (isFaulty && kind === "burn") burn(Number(durationMs));
    if (isFaulty && kind === "sleep") await pause(Number(durationMs));
    if (isFaulty && kind === "wrong") value = value.replace(/v$/, "w");
    if (isFaulty && kind === "close") return socket.close();
    const reply = isFaulty && kind === "error" ? "+OK\r\n-ERR no\r\n" : `+OK\r\n$${value.length}\r\n${value}\r\n`;
    await socket.write(new TextEncoder().encode(reply));
  }
}

/** Computes for a number of ms of processor time. A clock would also count the time of other processes. */
function burn(durationMs: number): void {
  const endUs = processorTimeUs() + durationMs * 1000;
  while (processorTimeUs() < endUs);
}

function processorTimeUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

if (import.meta.main) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(listener.addr.port);
  for await (const socket of listener) void serve(socket, Deno.args[0] ?? "");
}
