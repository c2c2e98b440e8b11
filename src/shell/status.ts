/**
 * The exit statuses of `inmem client`.
 *
 * @module
 */

/** The exit statuses of `inmem client`. */
export const Status = { Done: 0, Refused: 1, Usage: 2, NoConnection: 3 } as const;
/** One of {@linkcode Status}. */
export type Status = typeof Status[keyof typeof Status];
