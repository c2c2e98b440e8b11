/**
 * Colours on a terminal, by meaning: a program names what a text is, and this module alone knows the colour.
 *
 * | style | for | colour |
 * |---|---|---|
 * | `faint` | nil, hints, counts, what matters least | grey |
 * | `error` | errors, and what is down | red |
 * | `warning` | what needs attention soon | yellow |
 * | `good` | a status such as OK, and what is up | green |
 * | `name` | keys and fields | cyan |
 * | `kind` | numbers and types | magenta |
 * | `strong` | titles | bold |
 *
 * The colours are the first eight, which every terminal has and people adapt to their background.
 *
 * With `auto` there are colours on a terminal, unless its type is `dumb` or the environment variable `NO_COLOR` is not
 * empty (no-color.org).
 *
 * @module
 */

import { isDumbTerminal } from "./terminal.ts";

/** When there are colours: the values of `--color`. */
export const COLOUR_CHOICES = ["auto", "always", "never"] as const;

/** A value of `--color`. */
export type ColourChoice = typeof COLOUR_CHOICES[number];

/** The parameters of the control sequence that begins each style. */
const PARAMETERS = {
  faint: "90",
  error: "31",
  warning: "33",
  good: "32",
  name: "36",
  kind: "35",
  strong: "1",
} as const;

/** The meaning of a text. */
export type Style = keyof typeof PARAMETERS;

/** Colours that are on or off. */
export class Colours {
  /** Whether texts get their colours. */
  readonly areOn: boolean;

  constructor(areOn: boolean) {
    this.areOn = areOn;
  }

  /**
   * Returns a text in the colour of a style, or unchanged when colours are off.
   *
   * The text may have several lines, and no control characters. The result has no other width on the terminal, but
   * more characters: pad and cut a text before it is painted.
   */
  paint(style: Style, text: string): string {
    if (!this.areOn || text === "") return text;
    return `\x1b[${PARAMETERS[style]}m${text}\x1b[0m`;
  }
}

/** Colours that are off. */
export const NO_COLOURS: Colours = new Colours(false);

/**
 * Returns the colours for an output.
 *
 * @param isTerminal whether the output is a terminal
 * @param choice the value of `--color`
 */
export function coloursFor(isTerminal: boolean, choice: ColourChoice = "auto"): Colours {
  if (choice !== "auto") return new Colours(choice === "always");
  return new Colours(isTerminal && !isDumbTerminal() && (Deno.env.get("NO_COLOR") ?? "") === "");
}
