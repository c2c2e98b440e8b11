/**
 * Reads RDB files of Redis and Valkey, in constant memory.
 *
 * ```text
 * REDIS0011  operation…  [operation…  type  key  value]…  ff  checksum
 *            version, memory    deadline, database              8 bytes, from version 5 on
 *
 *          header         type of a string
 *    Header ────► Keys ───────────────────► Keys
 *                  │ ▲  type of a collection
 *                  │ └──────────── Elements ◄──┐
 *                  │ ff                  └─────┘ element
 *                  ▼
 *                 End ────► nothing follows
 * ```
 *
 * A step reads a unit (an operation, a key with its string, one element, one packed collection) where it lies in the
 * source. If the unit is not there completely, the step is undone, and the caller awaits {@linkcode RdbReader.advance}.
 *
 * The checksum is that of the whole file, so a reader knows it only at the end. A file is therefore read twice: once
 * to verify everything, and once more to use it. A pipe can only be read once.
 *
 * @module
 */

import { ELEMENT_SIZE_MAX_BYTES, FIELD_SIZE_MAX_BYTES, IMPORT_PACKED_MAX_BYTES } from "../../limits.ts";
import { KEY_SIZE_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "../../limits.ts";
import { type ByteSource, SHORT } from "../byte_source.ts";
import { EntryReader, InputError, NO_DEADLINE, Step } from "../entry_reader.ts";
import { Span } from "../span.ts";
import type { Crc64 } from "./crc64.ts";
import { MalformedError, type Packed } from "./packed.ts";
import { RdbInput, TooLargeError } from "./rdb_input.ts";
import { Skipper } from "./skip_value.ts";
import {
  CHECKSUM_VERSION_MIN,
  type Encoding,
  encodingOf,
  foreignType,
  Operation,
  REDIS_VERSION_MAX,
  STRING_TYPE,
  VALKEY_VERSION,
} from "./types.ts";

const State = { Header: 0, Keys: 1, Elements: 2, Skipping: 3, End: 4 } as const;
type State = typeof State[keyof typeof State];

const HEADER_BYTES = 9;
/** A container of a list that is an element itself. */
const PLAIN_CONTAINER = 1;
const PACKED_CONTAINER = 2;
/** The first deadline of a hash whose fields have none. */
const FIELD_DEADLINE_NONE = 2 ** 48 - 1;

/** How an RDB file is read. */
export interface RdbOptions {
  /** The checksum of the bytes that the source has dropped; `undefined` if it is not verified. */
  readonly checksum: Crc64 | undefined;
  /**
   * Whether hashes whose fields have deadlines are read as if the fields had none. Fields whose deadlines have passed
   * are left out.
   */
  readonly dropFieldDeadlines: boolean;
}

/** Reads an RDB file. */
export class RdbReader extends EntryReader {
  readonly #source: ByteSource;
  readonly #options: RdbOptions;
  readonly #input: RdbInput;
  readonly #skipper: Skipper;
  /** The string that is a packed collection. */
  readonly #blob = new Span();
  readonly #startMs = Date.now();
  #state: State = State.Header;
  #version = 0;
  /** Where the unit that is being read begins in the source. */
  #unitStart = 0;
  /** The position where the key, with its type, begins. */
  #keyPosition = 0;
  /** The deadline of the next key. */
  #nextDeadlineMs = NO_DEADLINE;
  #encoding: Encoding | undefined;
  /** The number of elements, fields or packed collections that follow. */
  #left = 0;
  /** The packed collection whose elements are next. */
  #packed: Packed | undefined;
  /** The first deadline of a field, to which others are relative. */
  #firstDeadlineMs = 0;
  /** Skips what is unsupported. */
  #skip: () => Promise<void> = () => Promise.resolve();

  constructor(source: ByteSource, options: RdbOptions) {
    super();
    this.#source = source;
    this.#options = options;
    this.#input = new RdbInput(source);
    this.#skipper = new Skipper(source, this.#input);
  }

  override get keyPosition(): number {
    return this.#keyPosition;
  }

  override describe(position: number): string {
    return `${this.#source.name}, offset ${position}`;
  }

  override get usedBytes(): number {
    return this.#source.position;
  }

  override next(): Step {
    const source = this.#source;
    this.#unitStart = source.at;
    try {
      switch (this.#state) {
        case State.Keys:
          for (;;) {
            this.#unitStart = source.at;
            const step = this.#keyOrOperation();
            if (step !== Step.NeedsInput || this.#state !== State.Keys) return step;
          }
        case State.Elements:
          return this.#part();
        case State.Skipping:
          return Step.NeedsInput;
        case State.Header:
          this.#header();
          this.#state = State.Keys;
          return this.next();
        default:
          return this.#end();
      }
    } catch (error) {
      source.at = this.#unitStart;
      if (error === SHORT) return Step.NeedsInput;
      throw this.#explain(error);
    }
  }

  override async advance(): Promise<void> {
    if (this.#state === State.Skipping) {
      try {
        await this.#skip();
      } catch (error) {
        throw this.#explain(error);
      }
      this.#state = State.Keys;
      return;
    }
    const source = this.#source;
    if (await source.fill() || this.#state === State.End) return;
    if (this.#state === State.Header) {
      throw new InputError("This is not an RDB file: it is too short", this.describe(0));
    }
    source.at = source.end;
    const key = this.#state === State.Elements ? ` within the value of key "${this.key.text()}"` : "";
    throw new InputError(
      `The input ends too early${key}: it is only a part of an RDB file`,
      this.describe(source.position),
    );
  }

  /** Returns an error with its position, if it is one of the input. */
  #explain(error: unknown): unknown {
    if (error instanceof TooLargeError) {
      const problem = `Cannot import key "${this.key.text()}": ${error.message}, which is more than inmem stores`;
      return new InputError(problem, this.describe(this.#source.position), { cause: error });
    }
    if (!(error instanceof MalformedError)) return error;
    return new InputError(`The input is damaged: ${error.message}`, this.describe(this.#source.position), {
      cause: error,
    });
  }

  #header(): void {
    const source = this.#source;
    source.need(HEADER_BYTES);
    const text = String.fromCharCode(...source.bytes.subarray(source.at, source.at + HEADER_BYTES));
    const [, name, digits] = /^(REDIS|VALKEY)([0-9]{3,4})$/.exec(text) ?? [];
    if (digits === undefined) {
      throw new InputError('This is not an RDB file: it does not begin with "REDIS" and a version', this.describe(0));
    }
    this.#version = Number(digits);
    const isKnown = name === "VALKEY"
      ? this.#version === VALKEY_VERSION
      : this.#version >= 1 && this.#version <= REDIS_VERSION_MAX;
    if (!isKnown) {
      const known = `1 to ${REDIS_VERSION_MAX} of Redis and ${VALKEY_VERSION} of Valkey`;
      throw new InputError(`Cannot read version ${this.#version} of RDB: expected ${known}`, this.describe(0));
    }
    source.at += HEADER_BYTES;
  }

  /** Reads an operation, for which it returns `NeedsInput`, or a key. */
  #keyOrOperation(): Step {
    const source = this.#source;
    this.#keyPosition = source.position;
    if (source.at === source.end) source.short(1);
    const number = source.bytes[source.at++]!;
    if (number === STRING_TYPE) return this.#string();
    if (number >= Operation.SlotImport) return this.#operation(number);
    const encoding = encodingOf(number, this.#version);
    return encoding === undefined ? this.#foreign(number) : this.#collection(encoding);
  }

  #string(): Step {
    const start = this.#source.at - 1;
    if (!this.#readKey()) return this.#unsupport(LARGE_KEY, start);
    try {
      this.#input.string(this.value, VALUE_SIZE_MAX_BYTES);
    } catch (error) {
      if (error instanceof TooLargeError) return this.#unsupport("a string above 64 MiB", start);
      throw error;
    }
    this.type = "string";
    this.#takeDeadline();
    return Step.String;
  }

  /** Reads the key; returns `false`, and leaves it empty, when it is too large. */
  #readKey(): boolean {
    try {
      this.#input.string(this.key, KEY_SIZE_MAX_BYTES);
      return true;
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      this.key.setBytes(EMPTY);
      return false;
    }
  }

  #collection(encoding: Encoding): Step {
    const input = this.#input;
    const { form } = encoding;
    const start = this.#source.at - 1;
    if (!this.#readKey()) return this.#unsupport(LARGE_KEY, start);
    const hasFirst = form === "expiring" || form === "packed expiring";
    // Without a first deadline, a deadline d is d itself, and otherwise the first one plus d - 1.
    this.#firstDeadlineMs = hasFirst ? Number(input.signed(8)) : 1;
    const hasNone = form === "packed expiring" && this.#firstDeadlineMs >= FIELD_DEADLINE_NONE;
    if (form.includes("expiring") && !hasNone && !this.#options.dropFieldDeadlines) {
      return this.#unsupport("a hash whose fields have deadlines", start);
    }
    this.#left = form.startsWith("packed") ? 1 : input.length();
    // The reader's buffer changes until the value ends.
    this.key.keep();
    this.type = encoding.type;
    this.#encoding = encoding;
    this.#packed = undefined;
    this.#state = State.Elements;
    this.#takeDeadline();
    return Step.Begin;
  }

  #foreign(number: number): Step {
    const start = this.#source.at - 1;
    const name = foreignType(number);
    if (name === undefined) throw new MalformedError(`a value has the unknown type ${number}`);
    return this.#unsupport(this.#readKey() ? name : LARGE_KEY, start);
  }

  /** Skips what begins at `start` with the next `advance`. */
  #unsupport(what: string, start: number): Step {
    this.#source.at = start;
    this.key.keep();
    this.#takeDeadline();
    this.unsupported = what;
    this.#skip = () => this.#skipper.entry(this.#version);
    this.#state = State.Skipping;
    return Step.Unsupported;
  }

  #takeDeadline(): void {
    this.deadlineMs = this.#nextDeadlineMs;
    this.#nextDeadlineMs = NO_DEADLINE;
  }

  #operation(number: number): Step {
    const input = this.#input;
    switch (number) {
      case Operation.DeadlineMs:
        this.#setDeadline(Number(input.signed(8)));
        return Step.NeedsInput;
      case Operation.DeadlineSeconds:
        this.#setDeadline(Number(input.signed(4)) * 1000);
        return Step.NeedsInput;
      case Operation.SelectDatabase:
        this.database = input.length();
        return Step.NeedsInput;
      case Operation.Frequency:
        input.byte();
        return Step.NeedsInput;
      case Operation.Idle:
        input.length();
        return Step.NeedsInput;
      case Operation.ResizeDatabase:
        this.#lengths(2);
        return Step.NeedsInput;
      case Operation.SlotInfo:
        this.#lengths(3);
        return Step.NeedsInput;
      case Operation.Aux:
        input.string(this.#blob, IMPORT_PACKED_MAX_BYTES);
        input.string(this.#blob, IMPORT_PACKED_MAX_BYTES);
        return Step.NeedsInput;
      case Operation.End:
        return this.#checksum();
      default:
        return this.#foreignOperation(number);
    }
  }

  #foreignOperation(number: number): Step {
    const skipper = this.#skipper;
    this.key.setBytes(EMPTY);
    this.#state = State.Skipping;
    if (number === Operation.ModuleAux) {
      this.unsupported = "data of a module";
      this.#skip = async () => {
        await skipper.length();
        await skipper.module();
      };
    } else if (number === Operation.SlotImport) {
      this.unsupported = "an unfinished import of slots";
      this.#skip = async () => {
        await skipper.string();
        for (let left = 2 * await skipper.length(); left > 0; left--) await skipper.length();
      };
    } else {
      this.unsupported = "a library of functions";
      this.#skip = async () => {
        await skipper.string();
        if (number === Operation.Function) return;
        await skipper.string();
        if (await skipper.length() !== 0) await skipper.string();
        await skipper.string();
      };
    }
    return Step.Unsupported;
  }

  #lengths(count: number): void {
    for (; count > 0; count--) this.#input.length();
  }

  /** A deadline is never `NO_DEADLINE`: one before 1970 has passed as well as any other. */
  #setDeadline(ms: number): void {
    this.#nextDeadlineMs = Math.max(0, ms);
  }

  #checksum(): Step {
    const source = this.#source;
    const content = source.at;
    this.#state = State.End;
    if (this.#version < CHECKSUM_VERSION_MIN) return this.#end();
    this.#state = State.Keys;
    source.need(8);
    const view = new DataView(source.bytes.buffer, source.bytes.byteOffset);
    const stated = view.getBigUint64(content, true);
    const { checksum } = this.#options;
    checksum?.add(source.bytes, 0, content);
    // Redis writes zero when checksums are switched off.
    if (checksum !== undefined && stated !== 0n && stated !== checksum.value) {
      const digits = (value: bigint) => value.toString(16).padStart(16, "0");
      const problem = `The input is damaged: its checksum is ${digits(checksum.value)}, and should be ${
        digits(stated)
      }`;
      throw new InputError(problem, this.describe(source.position));
    }
    source.at += 8;
    this.#state = State.End;
    return this.#end();
  }

  #end(): Step {
    const source = this.#source;
    if (source.at < source.end) {
      const cure = "; an append-only file that begins with an RDB file cannot be imported";
      throw new InputError(`The input goes on after the end of the RDB file${cure}`, this.describe(source.position));
    }
    return source.isEnded ? Step.Done : Step.NeedsInput;
  }

  /** Reads a part of the present collection, or its end. */
  #part(): Step {
    for (;;) {
      this.#unitStart = this.#source.at;
      if (this.#packed !== undefined) {
        if (this.#packedPart(this.#packed)) return Step.Part;
        this.#packed = undefined;
      }
      if (this.#left === 0) {
        this.#state = State.Keys;
        return Step.End;
      }
      if (this.#unit(this.#encoding!)) return Step.Part;
    }
  }

  /** Reads an element, a field, or a packed collection; returns whether it is a part that is used. */
  #unit(encoding: Encoding): boolean {
    const input = this.#input;
    switch (encoding.form) {
      case "plain":
        if (encoding.type === "hash") input.string(this.field, FIELD_SIZE_MAX_BYTES);
        input.string(this.value, encoding.type === "set" ? FIELD_SIZE_MAX_BYTES : ELEMENT_SIZE_MAX_BYTES);
        this.#left--;
        return true;
      case "containers": {
        const container = input.length();
        if (container === PLAIN_CONTAINER) {
          input.string(this.value, ELEMENT_SIZE_MAX_BYTES);
          this.#left--;
          return true;
        }
        if (container !== PACKED_CONTAINER) throw new MalformedError(`a list has the unknown container ${container}`);
        this.#beginPacked(encoding);
        return false;
      }
      case "expiring":
      case "expiring before release": {
        const deadline = input.length();
        return this.#expiringField(deadline === 0 ? NO_DEADLINE : this.#firstDeadlineMs + deadline - 1);
      }
      case "expiring in Valkey":
        return this.#expiringField(undefined);
      default:
        this.#beginPacked(encoding);
        return false;
    }
  }

  /** Reads a field and its value, after which a deadline follows if none is given; returns whether it is used. */
  #expiringField(deadlineMs: number | undefined): boolean {
    this.#input.string(this.field, FIELD_SIZE_MAX_BYTES);
    this.#input.string(this.value, ELEMENT_SIZE_MAX_BYTES);
    deadlineMs ??= Number(this.#input.signed(8));
    this.#left--;
    return deadlineMs < 0 || deadlineMs > this.#startMs;
  }

  #beginPacked(encoding: Encoding): void {
    this.#input.string(this.#blob, IMPORT_PACKED_MAX_BYTES);
    this.#left--;
    encoding.packed!.begin(this.#blob.bytes, this.#blob.start, this.#blob.length);
    this.#packed = encoding.packed;
  }

  /** Moves to the next part of the packed collection that is used; returns whether there is one. */
  #packedPart(packed: Packed): boolean {
    const { type, form } = this.#encoding!;
    for (;;) {
      if (!packed.next(type === "hash" ? this.field : this.value)) return false;
      if (type === "hash" && !packed.next(this.value)) throw new MalformedError("a hash has a field without a value");
      const isUsed = !form.startsWith("packed expiring") || this.#isAlive(packed);
      const valueMaxBytes = type === "set" ? FIELD_SIZE_MAX_BYTES : ELEMENT_SIZE_MAX_BYTES;
      if (this.value.length > valueMaxBytes) throw new TooLargeError(this.value.length);
      if (type === "hash" && this.field.length > FIELD_SIZE_MAX_BYTES) throw new TooLargeError(this.field.length);
      if (isUsed) return true;
    }
  }

  /** Reads the deadline after a field, of which 0 is none; returns whether it has not passed. */
  #isAlive(packed: Packed): boolean {
    const deadline = new Span();
    if (!packed.next(deadline)) throw new MalformedError("a field of a hash has no deadline");
    const ms = Number(deadline.text());
    if (!Number.isFinite(ms)) throw new MalformedError("a deadline of a field is not a number");
    return ms <= 0 || ms > this.#startMs;
  }
}

const LARGE_KEY = "a key above 32 KiB";
const EMPTY = new Uint8Array(0);
