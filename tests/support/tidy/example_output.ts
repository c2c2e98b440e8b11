/**
 * The mark by which the modules of examples and the program that runs them agree.
 *
 * @module
 */

/** The first argument of a call of `console.log` whose second argument is the text that the others have to print. */
export const SHOWN = "shown:";
