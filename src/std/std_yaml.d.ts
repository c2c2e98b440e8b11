/** Types of the part of `@std/yaml` 1.x that inmem's tests use. The code comes from npm without any. */

/**
 * Parses one YAML document.
 *
 * @throws {SyntaxError} if the text is not YAML, or is several documents
 */
export function parse(content: string, options?: { allowDuplicateKeys?: boolean }): unknown;
