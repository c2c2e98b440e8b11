/**
 * Lists and hashes of many elements.
 *
 * @module
 */

import type { CommandRunner } from "./command_runner.ts";

const ELEMENTS_PER_COMMAND = 1_000;

/** Makes a list, of elements of 10 bytes unless others are given. */
export function makeList(runner: CommandRunner, key: string, count: number, element?: () => string): void {
  runner.runAll(Math.ceil(count / ELEMENTS_PER_COMMAND), (index) => {
    const first = index * ELEMENTS_PER_COMMAND;
    const length = Math.min(ELEMENTS_PER_COMMAND, count - first);
    return ["rpush", key, ...Array.from({ length }, (_, at) => element?.() ?? numbered("e", first + at))];
  });
}

/** Makes a hash of fields of 10 bytes with values of 20. */
export function makeHash(runner: CommandRunner, key: string, count: number): void {
  const value = "v".repeat(20);
  runner.runAll(count, (index) => ["hset", key, numbered("f", index), value]);
}

/** A name of 10 bytes. */
export function numbered(letter: string, number: number): string {
  return `${letter}${String(number).padStart(9, "0")}`;
}
