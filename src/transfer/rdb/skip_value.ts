/**
 * Skips values of RDB files that inmem cannot use, however large they are. Their types say how long they are, but only
 * to those who follow their structure.
 *
 * ```text
 * module   id, then { 1 or 2: length │ 3: 4 bytes │ 4: 8 bytes │ 5: string } …, 0
 * stream   count × (string, string)                              the entries
 *          3 lengths, from version 2 on 8                        ids and counts
 *          count × group: string, 2 lengths, from version 2 on 1 more,
 *                  count × (16 bytes, 8 bytes, length)           entries that wait
 *                  count × consumer: string, 8 bytes, from version 3 on 8 more, count × 16 bytes
 * ```
 *
 * @module
 */

import { type ByteSource, SHORT } from "../byte_source.ts";
import { MalformedError } from "./packed.ts";
import type { RdbInput } from "./rdb_input.ts";
import { encodingOf } from "./types.ts";

const STREAM_ID_BYTES = 16;
const TIME_BYTES = 8;

/** The input has ended within a value. */
class EndedError extends MalformedError {}

/** Skips parts of an RDB file, and reads more of it when needed. */
export class Skipper {
  readonly #source: ByteSource;
  readonly #input: RdbInput;

  constructor(source: ByteSource, input: RdbInput) {
    this.#source = source;
    this.#input = input;
  }

  /**
   * Skips the type number, the key and the value.
   *
   * @param version of the file
   * @throws {MalformedError} when the type cannot be skipped, or the value does not have its structure
   */
  async entry(version: number): Promise<void> {
    const number = await this.#read(() => this.#input.byte());
    await this.string();
    if (encodingOf(number, version)?.form === "expiring in Valkey") await this.#valkeyHash();
    else await this.#value(number);
  }

  async #value(number: number): Promise<void> {
    switch (number) {
      case 1:
      case 2:
      case 14:
        return await this.#repeat(() => this.string());
      case 3:
        return await this.#repeat(async () => {
          await this.string();
          const length = await this.#read(() => this.#input.byte());
          // Three numbers stand for values that have no digits.
          if (length < 253) await this.bytes(length);
        });
      case 4:
        return await this.#repeat(() => this.#strings(2));
      case 5:
        return await this.#repeat(async () => {
          await this.string();
          await this.bytes(TIME_BYTES);
        });
      case 7:
        await this.length();
        return await this.module();
      case 15:
        return await this.#stream(1);
      case 18:
        return await this.#repeat(async () => {
          await this.length();
          await this.string();
        });
      case 19:
        return await this.#stream(2);
      case 21:
        return await this.#stream(3);
      case 6:
        throw new MalformedError("a value of a module has no end that could be found without the module");
      default:
        return await this.#hashOrString(number);
    }
  }

  /** Skips what a module has written, after its id. */
  async module(): Promise<void> {
    for (;;) {
      const operation = await this.length();
      if (operation === 0) return;
      if (operation === 1 || operation === 2) await this.length();
      else if (operation === 3) await this.bytes(4);
      else if (operation === 4) await this.bytes(8);
      else if (operation === 5) await this.string();
      else throw new MalformedError(`a value of a module has the unknown operation ${operation}`);
    }
  }

  /** Skips a string. */
  async string(): Promise<void> {
    await this.bytes(await this.#read(() => this.#input.stringSize()));
  }

  /** Skips a length, and returns it. */
  async length(): Promise<number> {
    return await this.#read(() => this.#input.length());
  }

  /** Skips bytes. */
  async bytes(count: number): Promise<void> {
    if (!await this.#source.skip(count)) throw new EndedError("the input ends within a value");
  }

  async #hashOrString(number: number): Promise<void> {
    switch (number) {
      case 22:
        return await this.#repeat(async () => {
          await this.length();
          await this.#strings(2);
        });
      case 24:
        await this.bytes(TIME_BYTES);
        return await this.#repeat(async () => {
          await this.length();
          await this.#strings(2);
        });
      case 25:
        await this.bytes(TIME_BYTES);
        return await this.string();
      default:
        return await this.string();
    }
  }

  async #valkeyHash(): Promise<void> {
    await this.#repeat(async () => {
      await this.#strings(2);
      await this.bytes(TIME_BYTES);
    });
  }

  async #stream(version: number): Promise<void> {
    await this.#repeat(() => this.#strings(2));
    await this.#lengths(version >= 2 ? 8 : 3);
    await this.#repeat(async () => {
      await this.string();
      await this.#lengths(version >= 2 ? 3 : 2);
      await this.#repeat(async () => {
        await this.bytes(STREAM_ID_BYTES + TIME_BYTES);
        await this.length();
      });
      await this.#repeat(async () => {
        await this.string();
        await this.bytes(version >= 3 ? 2 * TIME_BYTES : TIME_BYTES);
        await this.#repeat(() => this.bytes(STREAM_ID_BYTES));
      });
    });
  }

  async #repeat(skip: () => Promise<void>): Promise<void> {
    for (let left = await this.length(); left > 0; left--) await skip();
  }

  async #strings(count: number): Promise<void> {
    for (; count > 0; count--) await this.string();
  }

  async #lengths(count: number): Promise<void> {
    for (; count > 0; count--) await this.length();
  }

  /** Reads something, from its beginning again when the input was too short. */
  async #read(read: () => number): Promise<number> {
    for (;;) {
      const start = this.#source.position;
      try {
        return read();
      } catch (error) {
        if (error !== SHORT) throw error;
        this.#source.at -= this.#source.position - start;
        if (!await this.#source.fill()) throw new EndedError("the input ends within a value");
      }
    }
  }
}
