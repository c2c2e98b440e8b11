/**
 * Every error inmem throws or answers with, on one page.
 *
 * | class | meaning | what the caller may do |
 * |---|---|---|
 * | {@linkcode ReplyError} | the server refused one command; the connection is healthy | correct the command |
 * | {@linkcode ProtocolError} | bytes that are not the protocol; the sender is told, and cut off if framing is lost | reconnect |
 * | {@linkcode ConnectionError} | no connection, or it was lost | retry what is idempotent |
 * | {@linkcode CorruptionError} | a file whose checksum or structure is wrong | restore a backup |
 * | {@linkcode UsageError} | a wrong option or setting; exit status 2 | correct the call |
 * | {@linkcode StartError} | the role cannot start here (port, key, folder); exit status 1 | correct the machine |
 * | {@linkcode NotSavedError} | the log could not be written; whether the effects of a command last is unknown | see to the disk |
 * | {@linkcode StoreFullError} | the memory limit is reached and nothing may be evicted | free memory |
 * | {@linkcode AssertionError} | a bug of ours | report it |
 *
 * Misuse of the TypeScript API throws `TypeError` or `RangeError`.
 *
 * @module
 */

/** The prefix that a refused command is answered with, as clients of Redis match on it. */
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

/** The parent of every error of inmem's own. `code` is stable; the message is for people. */
export class InmemError extends Error {
  /** The class's name. */
  override readonly name: string = "InmemError";
  /**
   * Makes one.
   *
   * @param code stable, for programs
   * @param message for people
   */
  constructor(readonly code: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/**
 * The server refused one command; the connection stays usable.
 *
 * `code` is the server's prefix (`ERR`, `WRONGTYPE`, `NOAUTH`…), `message` the rest of its text.
 */
export class ReplyError extends InmemError {
  /** The class's name. */
  override readonly name = "ReplyError";
}

/** A refusal that the client is told some time later, since being told at once would help it to guess. */
export class DelayedReplyError extends ReplyError {
  /**
   * Makes one.
   *
   * @param delayMs for how long it is held back
   */
  constructor(code: string, message: string, readonly delayMs: number) {
    super(code, message);
  }
}

/** Bytes that are not the protocol. Where framing is lost, the connection is closed after it. */
export class ProtocolError extends InmemError {
  /** The class's name. */
  override readonly name = "ProtocolError";
  /**
   * Makes one.
   *
   * @param message for people
   */
  constructor(message: string, options?: ErrorOptions) {
    super("PROTOCOL", message, options);
  }
}

/** A connection to `address` could not be made, was lost, or did not answer in time. */
export class ConnectionError extends InmemError {
  /** The class's name. */
  override readonly name = "ConnectionError";
  /**
   * Makes one.
   *
   * @param address `host:port` of the peer
   * @param message for people
   * @param sent whether bytes of the request had left: then a write's outcome is unknown
   */
  constructor(readonly address: string, message: string, readonly sent: boolean, options?: ErrorOptions) {
    super("CONNECTION", message, options);
  }
}

/** A file whose content contradicts its checksum or its format. Nothing of it was used. */
export class CorruptionError extends InmemError {
  override readonly name = "CorruptionError";
  /**
   * @param path the file
   * @param offset where the first bad block begins, in bytes
   * @param problem what is wrong there
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
   * Makes one.
   *
   * @param message for people
   */
  constructor(message: string, options?: ErrorOptions) {
    super("USAGE", message, options);
  }
}

/** The role cannot start on this machine as it is. The program prints the message and exits with 1. */
export class StartError extends InmemError {
  override readonly name = "StartError";
  constructor(message: string, options?: ErrorOptions) {
    super("START", message, options);
  }
}

/** What commands did is not on disk as it should be, and may be lost. Nobody was told that it was done. */
export class NotSavedError extends InmemError {
  override readonly name = "NotSavedError";
  /** @param reason what failed */
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

/** A bug of ours: a condition that cannot be false was. */
export class AssertionError extends InmemError {
  override readonly name = "AssertionError";
  constructor(message: string) {
    super("ASSERTION", message);
  }
}

/**
 * Throws unless `condition` holds. For what must be true whatever a user or a peer does.
 *
 * @throws {AssertionError}
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The message of whatever was thrown, for people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The stack of whatever was thrown, for a report of a bug. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
