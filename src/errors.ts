/**
 * Every error that inmem throws or replies with, on one page.
 *
 * | class | meaning | what the caller may do |
 * |---|---|---|
 * | {@linkcode ReplyError} | the server refused one command; the connection is healthy | correct the command |
 * | {@linkcode ProtocolError} | bytes that violate the protocol; if framing is lost, the connection is closed after the reply | reconnect |
 * | {@linkcode ConnectionError} | no connection, or it was lost | retry what is idempotent |
 * | {@linkcode CorruptionError} | a file whose checksum or structure is wrong | restore a backup |
 * | {@linkcode UsageError} | a wrong option or setting; exit status 2 | correct the call |
 * | {@linkcode StartError} | the role cannot start here (port, key, folder); exit status 1 | correct the machine |
 * | {@linkcode NotSavedError} | the log could not be written; whether a command's effects are durable is unknown | repair the disk |
 * | {@linkcode StoreFullError} | the memory limit is reached and nothing may be evicted | free memory |
 * | {@linkcode AssertionError} | a bug of inmem | report it |
 *
 * Misuse of the TypeScript API throws `TypeError` or `RangeError`.
 *
 * @module
 */

/** The prefix of an error reply, which clients of Redis match on. */
export type ReplyCode =
  | "ERR"
  | "WRONGTYPE"
  | "NOAUTH"
  | "WRONGPASS"
  | "OOM"
  | "NOPROTO"
  | "CROSSSLOT"
  | "BUSY"
  | "MISCONF"
  | "EXECABORT"
  | "UNBLOCKED"
  | "UNAVAILABLE"
  | "UNKNOWN_OUTCOME";

/** The parent class of all errors of inmem. `code` is stable; the message is for people. */
export class InmemError extends Error {
  /** The class's name. */
  override readonly name: string = "InmemError";
  /**
   * Creates the error.
   *
   * @param code a stable code, for programs
   * @param message a text for people
   */
  constructor(readonly code: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/**
 * The server refused one command; the connection stays usable.
 *
 * `code` is the server's prefix (`ERR`, `WRONGTYPE`, `NOAUTH`…), and `message` is the rest of its text.
 */
export class ReplyError extends InmemError {
  /** The class's name. */
  override readonly name = "ReplyError";
}

/** A refusal whose reply is delayed, since an immediate reply would help the client to guess passwords. */
export class DelayedReplyError extends ReplyError {
  /**
   * Creates the error.
   *
   * @param delayMs how long the reply is held back
   */
  constructor(code: string, message: string, readonly delayMs: number) {
    super(code, message);
  }
}

/** Bytes that violate the protocol. If framing is lost, the connection is closed after the error. */
export class ProtocolError extends InmemError {
  /** The class's name. */
  override readonly name = "ProtocolError";
  /**
   * Creates the error.
   *
   * @param message a text for people
   */
  constructor(message: string, options?: ErrorOptions) {
    super("PROTOCOL", message, options);
  }
}

/** A connection to `address` failed, was lost, or did not reply in time. */
export class ConnectionError extends InmemError {
  /** The class's name. */
  override readonly name = "ConnectionError";
  /**
   * Creates the error.
   *
   * @param address `host:port` of the peer
   * @param message a text for people
   * @param sent whether bytes of the request were sent; if so, a write's outcome is unknown
   */
  constructor(readonly address: string, message: string, readonly sent: boolean, options?: ErrorOptions) {
    super("CONNECTION", message, options);
  }
}

/** A file whose content contradicts its checksum or its format. None of it was used. */
export class CorruptionError extends InmemError {
  override readonly name = "CorruptionError";
  /**
   * @param path the file
   * @param offset where the first bad block begins, in bytes
   * @param problem the fault at that offset
   */
  constructor(readonly path: string, readonly offset: number, readonly problem: string, options?: ErrorOptions) {
    super("CORRUPTION", `${problem} (file "${path}", offset ${offset})`, options);
  }
}

/** A wrong option, argument or setting. The program prints the message and exits with 2. */
export class UsageError extends InmemError {
  /** The class's name. */
  override readonly name = "UsageError";
  /**
   * Creates the error.
   *
   * @param message a text for people
   */
  constructor(message: string, options?: ErrorOptions) {
    super("USAGE", message, options);
  }
}

/** The role cannot start on this machine in its present state. The program prints the message and exits with 1. */
export class StartError extends InmemError {
  override readonly name = "StartError";
  constructor(message: string, options?: ErrorOptions) {
    super("START", message, options);
  }
}

/** The effects of commands could not be saved to disk and may be lost. No client got a successful reply to them. */
export class NotSavedError extends InmemError {
  override readonly name = "NotSavedError";
  /** @param reason the failure */
  constructor(reason: string, options?: ErrorOptions) {
    super("NOT_SAVED", `Cannot tell whether the last commands will last: ${reason}`, options);
  }
}

/** The memory limit is reached and eviction is off or has nothing left to evict. Nothing was changed. */
export class StoreFullError extends InmemError {
  override readonly name = "StoreFullError";
  constructor(message = "command not allowed when used memory > 'maxmemory'.") {
    super("OOM", message);
  }
}

/** A bug of inmem: a condition that must always hold does not. */
export class AssertionError extends InmemError {
  override readonly name = "AssertionError";
  constructor(message: string) {
    super("ASSERTION", message);
  }
}

/**
 * Throws unless `condition` holds. It checks what must be true for any input of a user or a peer.
 *
 * @throws {AssertionError}
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Returns the message of any thrown value, for people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns why a file or a folder could not be used, in the words of all errors about files. */
export function fileReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  // Deno adds the number of the system's error, and the call: "Is a directory (os error 21): open 'x'".
  return messageOf(error).replace(/ \(os error \d+\)(: \w+ '.*')?$/s, "");
}

/** Returns the stack of any thrown value, for a bug report. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
