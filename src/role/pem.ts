/**
 * PEM, the text form of certificates and keys (RFC 7468; RFC 1421 for the headers of old keys).
 *
 * ```text
 * any text                           ignored, as is a byte order mark
 * -----BEGIN LABEL-----
 * Proc-Type: 4,ENCRYPTED             headers and an empty line, in old keys only
 *
 * base64 in lines, blanks ignored
 * -----END LABEL-----                the same label
 * any text, or the next block
 * ```
 *
 * A file is read to its end and each block is decoded. A truncated or damaged block is therefore reported when the file
 * is read, with its position, rather than by a client that connects later. This module imports no package, since the
 * client library reads certificates with it.
 *
 * @module
 */

/** One PEM block. */
export interface PemBlock {
  /** The label after BEGIN, such as `CERTIFICATE`. */
  readonly label: string;
  /** The decoded base64: DER, unless the block is encrypted. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether the label or the headers mark the block as encrypted. */
  readonly isEncrypted: boolean;
  /** The number of the block in its file, from 1. */
  readonly number: number;
  /** The number of the line of its BEGIN, from 1. */
  readonly line: number;
}

/** The error of a text that is not valid PEM. Its message is the end of a sentence: `line 7: …`. */
export class PemError extends Error {
  /** The class's name. */
  override readonly name = "PemError";
}

const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ._#-]*)-----$/;
/** Matches a line that was meant to be a boundary. */
const BOUNDARY_LIKE = /^[-–—]{2,}\s*(BEGIN|END)\b/;
const HEADER = /^[A-Za-z0-9-]+:/;
/**
 * Reads all blocks of a file.
 *
 * @param bytes borrowed until return
 * @throws {PemError} when there is no block, or one is incomplete or not base64
 */
export function parsePem(bytes: Uint8Array): PemBlock[] {
  if (bytes.length === 0) throw new PemError("it is empty");
  // Text around the blocks may have any encoding. In a block, what is not ASCII is not base64 either.
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\n|\r/);
  const blocks: PemBlock[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.trim();
    const boundary = BOUNDARY.exec(line);
    if (boundary === null) {
      if (BOUNDARY_LIKE.test(line)) throw new PemError(`line ${i + 1}: expected -----BEGIN …----- or -----END …-----`);
      continue;
    }
    const [, word, label] = boundary as unknown as [string, string, string];
    if (word === "END") throw new PemError(`line ${i + 1}: "${label}" ends without a beginning: the file is not whole`);
    const end = findEnd(lines, i, label, blocks.length + 1);
    blocks.push(decodeBlock(lines, i, end, label, blocks.length + 1));
    i = end;
  }
  if (blocks.length === 0) throw new PemError(formOf(bytes));
  return blocks;
}

/** Returns what a file without a block is instead, judging by its first bytes. */
function formOf(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return "it is UTF-16, expected UTF-8";
  // DER begins with a sequence.
  const isBinary = first === 0x30 && bytes.subarray(0, 32).some((byte) => byte < 9 || byte > 126);
  if (isBinary) return "it is binary, such as DER or PKCS #12, expected PEM: openssl x509, pkey and pkcs12 convert it";
  return "expected PEM with -----BEGIN …-----";
}

/** Returns the number of the line that ends the block which begins in line `begin`. */
function findEnd(lines: readonly string[], begin: number, label: string, number: number): number {
  const where = `block ${number} ("${label}", line ${begin + 1})`;
  for (let i = begin + 1; i < lines.length; i++) {
    const line = lines[i]!.trim();
    if (!line.startsWith("--") && !BOUNDARY_LIKE.test(line)) continue;
    if (line === `-----END ${label}-----`) return i;
    throw new PemError(`${where} is not whole: line ${i + 1}: expected -----END ${label}-----`);
  }
  throw new PemError(`${where} is cut off: expected -----END ${label}-----`);
}

function decodeBlock(lines: readonly string[], begin: number, end: number, label: string, number: number): PemBlock {
  const where = `block ${number} ("${label}", line ${begin + 1})`;
  let first = begin + 1;
  let isEncrypted = label.startsWith("ENCRYPTED ");
  if (first < end && HEADER.test(lines[first]!)) {
    // Headers end with an empty line. A line that begins with a blank continues the header before it.
    for (; first < end && lines[first]!.trim() !== ""; first++) {
      if (/^Proc-Type:.*ENCRYPTED/i.test(lines[first]!)) isEncrypted = true;
    }
  }
  const body: string[] = [];
  for (let i = first; i < end; i++) {
    const line = lines[i]!.replace(/[ \t\f\v]+/g, "");
    if (!/^[A-Za-z0-9+/=]*$/.test(line)) {
      throw new PemError(`${where} is damaged: line ${i + 1} is not base64`);
    }
    body.push(line);
  }
  try {
    const bytes = Uint8Array.fromBase64(body.join(""), { lastChunkHandling: "strict" });
    if (bytes.length > 0) return { label, bytes, isEncrypted, number, line: begin + 1 };
  } catch {
    // The message names the block, which the cause does not.
    throw new PemError(`${where} is damaged: its base64 is not whole`);
  }
  throw new PemError(`${where} is empty`);
}

/** Returns a block as PEM. */
export function formatPem(label: string, bytes: Uint8Array): string {
  const lines = bytes.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** Returns whether bytes are exactly one DER sequence. Readers differ in how they treat additional bytes. */
export function isOneSequence(der: Uint8Array): boolean {
  if (der[0] !== 0x30 || der.length < 2) return false;
  const first = der[1]!;
  if (first < 0x80) return der.length === 2 + first;
  const count = first & 0x7f;
  if (count === 0 || count > 4 || der.length < 2 + count) return false;
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + der[2 + i]!;
  return der.length === 2 + count + length;
}
