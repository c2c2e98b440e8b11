/**
 * The items of one value that have names: the fields of a hash, and the members of a set. Walking over all of them,
 * choosing some at random (random_choice.ts) and scanning them (item_scan.ts) is the same for both.
 *
 * All methods about an item are about the one at the store's cursor.
 *
 * @module
 */

import { AssertionError } from "../errors.ts";
import { FIELD_SIZE_MAX_BYTES } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findTyped } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { replyField, replyValue } from "./hash_field.ts";
import { ValueGone } from "./long_command.ts";
import { HeldItems, type Items } from "./long_reply.ts";
import { replyMember } from "./set_member.ts";

/** The items of the value in argument 1, in an order that does not change unless items are added or removed. */
export abstract class NamedItems extends HeldItems implements Items {
  abstract readonly width: number;
  protected readonly store: Store;
  readonly #context: CommandContext;
  readonly #request: Request;
  readonly #type: EntryType;
  /** The name of the item that the walk has left. */
  #name: Uint8Array | undefined;
  #nameLength = 0;
  /** The index of the item at which the walk begins, and its name; `undefined` for the first item of the value. */
  readonly #start: number;
  readonly #startName: Uint8Array | undefined;

  /** @param start the index of the item at the store's cursor, if the walk does not begin with the first item */
  constructor(context: CommandContext, request: Request, type: EntryType, start: number) {
    super();
    this.#context = context;
    this.store = context.store;
    this.#request = request;
    this.#type = type;
    this.#start = start;
    if (start === 0) return;
    this.#startName = new Uint8Array(this.nameLength());
    this.copyName(this.#startName, 0);
  }

  /**
   * Returns the entry of the value.
   *
   * @throws {ValueGone} when it was removed
   */
  find(): number {
    const entry = findTyped(this.#context, this.#request, 1, this.#type);
    if (entry === 0) throw new ValueGone();
    return entry;
  }

  enter(index: number): void {
    const entry = this.find();
    const isStart = index === this.#start;
    const name = isStart ? this.#startName : this.#name;
    if (name === undefined) this.first(entry);
    else if (!this.seek(entry, name, isStart ? name.length : this.#nameLength)) throw new ValueGone();
  }

  leave(): void {
    this.#name ??= new Uint8Array(FIELD_SIZE_MAX_BYTES);
    this.#nameLength = this.nameLength();
    this.copyName(this.#name, 0);
  }

  /** Returns the number of items of an entry. */
  abstract length(entry: number): number;
  /** Moves the cursor to the first item; returns whether there is one. */
  abstract first(entry: number): boolean;
  /** Moves the cursor to the next item; returns `false` after the last one. */
  abstract next(): boolean;
  /** Moves the cursor to the item named `name[0, length)`; returns whether there is one. */
  abstract seek(entry: number, name: Uint8Array, length: number): boolean;
  /** Moves the cursor to an item chosen at random. */
  abstract seekRandom(entry: number): void;
  /** Visits some items, with the cursor on each of them. Returns the next cursor of the scan, or 0 at the end. */
  abstract scan(entry: number, cursor: number, visit: () => void): number;
  /** Returns the length of the item's name, in bytes. */
  abstract nameLength(): number;
  /** Copies the item's name. */
  abstract copyName(target: Uint8Array, at: number): void;
  abstract size(): number;
  abstract reply(reply: Reply): void;
  abstract replyHead(reply: Reply): number;
  abstract copyPart(from: number, target: Uint8Array, at: number, length: number): void;
}

/** The fields of the hash in argument 1, their values, or both, in the order in which the fields were created. */
export class FieldItems extends NamedItems {
  readonly width: number;
  readonly #withFields: boolean;
  readonly #withValues: boolean;

  /** @param start the index of the field at the store's cursor, if the walk does not begin with the first field */
  constructor(context: CommandContext, request: Request, withFields: boolean, withValues: boolean, start = 0) {
    super(context, request, EntryType.Hash, start);
    this.width = Number(withFields) + Number(withValues);
    this.#withFields = withFields;
    this.#withValues = withValues;
  }

  length(entry: number): number {
    return this.store.hashes.length(entry);
  }

  first(entry: number): boolean {
    return this.store.hashes.first(entry);
  }

  next(): boolean {
    return this.store.hashes.next();
  }

  seek(entry: number, name: Uint8Array, length: number): boolean {
    return this.store.hashes.seek(entry, name, 0, length);
  }

  seekRandom(entry: number): void {
    this.store.hashes.seekRandom(entry, Math.random());
  }

  scan(entry: number, cursor: number, visit: () => void): number {
    return this.store.hashes.scan(entry, cursor, visit);
  }

  nameLength(): number {
    return this.store.hashes.fieldLength();
  }

  copyName(target: Uint8Array, at: number): void {
    this.store.hashes.copyField(target, at);
  }

  size(): number {
    const { store } = this;
    return (this.#withFields ? store.hashes.fieldLength() : 0) + (this.#withValues ? store.hashes.valueLength() : 0);
  }

  reply(reply: Reply): void {
    if (this.#withFields) replyField(this.store, reply);
    if (this.#withValues) replyValue(this.store, reply);
  }

  replyHead(reply: Reply): number {
    if (this.#withFields) replyField(this.store, reply);
    return this.#withValues ? this.store.hashes.valueLength() : -1;
  }

  copyPart(from: number, target: Uint8Array, at: number, length: number): void {
    this.store.hashes.copyValuePart(from, target, at, length);
  }
}

/** The members of the set in argument 1. None is long. */
export class MemberItems extends NamedItems {
  readonly width = 1;

  /** @param start the index of the member at the store's cursor, if the walk does not begin with the first member */
  constructor(context: CommandContext, request: Request, start = 0) {
    super(context, request, EntryType.Set, start);
  }

  length(entry: number): number {
    return this.store.sets.length(entry);
  }

  first(entry: number): boolean {
    return this.store.sets.first(entry);
  }

  next(): boolean {
    return this.store.sets.next();
  }

  seek(entry: number, name: Uint8Array, length: number): boolean {
    return this.store.sets.seek(entry, name, 0, length);
  }

  seekRandom(entry: number): void {
    this.store.sets.seekRandom(entry, Math.random());
  }

  scan(entry: number, cursor: number, visit: () => void): number {
    return this.store.sets.scan(entry, cursor, visit);
  }

  nameLength(): number {
    return this.store.sets.memberLength();
  }

  copyName(target: Uint8Array, at: number): void {
    this.store.sets.copyMember(target, at);
  }

  size(): number {
    return this.store.sets.memberLength();
  }

  reply(reply: Reply): void {
    replyMember(this.store, reply);
  }

  replyHead(reply: Reply): number {
    replyMember(this.store, reply);
    return -1;
  }

  copyPart(): void {
    throw new AssertionError("a member of a set is short");
  }
}
