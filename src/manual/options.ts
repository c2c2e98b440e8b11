/**
 * The options of `inmem completion` and `inmem man`.
 *
 * @module
 */

import type { Option, OptionTable } from "../role/options.ts";

const help = { kind: "flag", onlyTyped: true, help: "print this text" } as const satisfies Option;

/** The options of `inmem completion`. */
export const completionOptions = {
  usage: "inmem completion bash|zsh|fish [OPTIONS]",
  summary:
    "Prints a script with which a shell completes roles, options, their values, and the commands of the client. " +
    "The script says how to load it.",
  examples: [
    { text: "Load it into the present bash", command: "source <(inmem completion bash)" },
    { text: "Install it for fish", command: "inmem completion fish > ~/.config/fish/completions/inmem.fish" },
  ],
  options: { help },
} as const satisfies OptionTable;

/** The options of `inmem man`. */
export const manOptions = {
  usage: "inmem man [ROLE] [OPTIONS]",
  summary: "Prints the page of the manual about the program or a role, as troff, which `man -l -` formats.",
  options: { help },
} as const satisfies OptionTable;
