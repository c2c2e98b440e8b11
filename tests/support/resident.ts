/**
 * Measures which part of a buffer is in memory. The figure of the whole process would include tests in other threads.
 *
 * @module
 */

const PAGE_BYTES = 4096;

/** Returns the bytes of those whole pages of `bytes` that are in memory, according to the system. */
export function residentBytes(bytes: Uint8Array<ArrayBuffer>): number {
  const begin = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)!);
  const first = (begin + BigInt(PAGE_BYTES - 1)) / BigInt(PAGE_BYTES) * BigInt(PAGE_BYTES);
  const pages = Number((begin + BigInt(bytes.length) - first) / BigInt(PAGE_BYTES));
  const states = new Uint8Array(pages);
  const libc = Deno.dlopen("libc.so.6", { mincore: { parameters: ["u64", "usize", "buffer"], result: "i32" } });
  const result = libc.symbols.mincore(first, BigInt(pages * PAGE_BYTES), states);
  libc.close();
  if (result !== 0) throw new Error("Cannot ask which pages are in memory");
  return states.reduce((sum, state) => sum + (state & 1), 0) * PAGE_BYTES;
}
