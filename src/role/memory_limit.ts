/**
 * The memory limits when `--max-memory` and `--max-client-memory` are absent: shares of what the container, or the machine, has.
 *
 * A container's limit is in a file of its control group. Deno lets only a program with every permission read below
 * `/sys`, so the file is read through the C library.
 *
 * @module
 */

import { getHeapStatistics } from "node:v8";
import {
  CLIENT_HEAP_SHARE,
  CLIENT_MEMORY_DEFAULT_MAX_BYTES,
  CLIENT_MEMORY_DEFAULT_MIN_BYTES,
  CLIENT_MEMORY_DEFAULT_SHARE,
  MEMORY_LIMIT_DEFAULT_SHARE,
  MEMORY_LIMIT_MAX_BYTES,
  MEMORY_LIMIT_MIN_BYTES,
} from "../limits.ts";
import { formatSize } from "./quantities.ts";

/** A memory limit, and where it comes from. */
export interface MemoryLimit {
  /** Bytes. */
  readonly limit: number;
  /** For the log, such as `75 % of the container's 2gb`. */
  readonly reason: string;
}

/** What the environment tells; replaced in tests. */
export interface MemorySources {
  /** The machine's memory, in bytes. */
  readonly machine: number;
  /** The contents of the files that may hold a container's limit. */
  readonly containerFiles: readonly (string | undefined)[];
}

/** Version 2 of control groups, then version 1; inside a container its own group is mounted at the top. */
const CONTAINER_LIMIT_PATHS = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/** Three quarters of the container's memory, or of the machine's where that is less or there is no container. */
export function defaultMemoryLimit(sources: MemorySources = readSources()): MemoryLimit {
  const { available, isContainer } = availableMemory(sources);
  const share = Math.floor(available * MEMORY_LIMIT_DEFAULT_SHARE);
  const limit = Math.min(Math.max(share, MEMORY_LIMIT_MIN_BYTES), MEMORY_LIMIT_MAX_BYTES);
  const whose = isContainer ? "container" : "machine";
  const percent = Math.round(MEMORY_LIMIT_DEFAULT_SHARE * 100);
  if (limit < share) return { limit, reason: `the most possible; the ${whose} has ${formatSize(available)}` };
  if (limit > share) return { limit, reason: `the least possible; the ${whose} has ${formatSize(available)}` };
  return { limit, reason: `${percent} % of the ${whose}'s ${formatSize(available)}` };
}

/** The memory of the container, or of the machine where that is less or there is no container. */
function availableMemory(sources: MemorySources): { available: number; isContainer: boolean } {
  const container = Math.min(...sources.containerFiles.map(parseContainerLimit));
  const isContainer = container < sources.machine;
  return { available: isContainer ? container : sources.machine, isContainer };
}

/**
 * What all clients may hold together unless `--max-client-memory` is given: a quarter of `ofBytes`, within bounds.
 *
 * @param ofBytes the limit for data; without it, for a proxy, the memory of the container or the machine
 */
export function defaultClientMemoryLimit(ofBytes?: number, sources?: MemorySources): number {
  const whole = ofBytes ?? availableMemory(sources ?? readSources()).available;
  const share = Math.floor(whole * CLIENT_MEMORY_DEFAULT_SHARE);
  return Math.min(Math.max(share, CLIENT_MEMORY_DEFAULT_MIN_BYTES), CLIENT_MEMORY_DEFAULT_MAX_BYTES);
}

/** What the objects of all clients may take of the engine's heap. */
export function clientHeapLimit(): number {
  return Math.floor(getHeapStatistics().heap_size_limit * CLIENT_HEAP_SHARE);
}

/** Version 2 writes `max` for no limit, version 1 a number larger than any machine. */
function parseContainerLimit(content: string | undefined): number {
  const text = content?.trim() ?? "";
  return /^[0-9]+$/.test(text) ? Number(text) : Infinity;
}

function readSources(): MemorySources {
  return { machine: Deno.systemMemoryInfo().total, containerFiles: CONTAINER_LIMIT_PATHS.map(readSystemFile) };
}

/** A short file's content, read past Deno's own file API; `undefined` when it cannot be. */
function readSystemFile(path: string): string | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const library = Deno.dlopen("libc.so.6", {
      open: { parameters: ["buffer", "i32"], result: "i32" },
      read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
      close: { parameters: ["i32"], result: "i32" },
    });
    try {
      const descriptor = library.symbols.open(new TextEncoder().encode(`${path}\0`), 0);
      if (descriptor < 0) return undefined;
      const content = new Uint8Array(64);
      const size = Number(library.symbols.read(descriptor, content, BigInt(content.length)));
      library.symbols.close(descriptor);
      return size > 0 ? new TextDecoder().decode(content.subarray(0, size)) : undefined;
    } finally {
      library.close();
    }
  } catch {
    // No permission for FFI, or another C library: the machine's memory counts.
    return undefined;
  }
}
