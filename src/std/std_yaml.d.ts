/** Types of the part of `@std/yaml` 1.x that inmem's tests use. Its npm package contains no types. */

/**
 * Parses one YAML document.
 *
 * @throws {SyntaxError} if the text is not YAML, or contains several documents
 */
export function parse(content: string, options?: { allowDuplicateKeys?: boolean }): unknown;
