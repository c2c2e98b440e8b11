/**
 * The keys of the line editor: those of Emacs, as in bash, and those of terminals.
 *
 * @module
 */

/** An action of the line editor. */
export type EditorCommand =
  | "accept"
  | "interrupt"
  | "end"
  | "suspend"
  | "complete"
  | "clearScreen"
  | "left"
  | "right"
  | "wordLeft"
  | "wordRight"
  | "home"
  | "endOfLine"
  | "up"
  | "down"
  | "older"
  | "newer"
  | "searchOlder"
  | "searchNewer"
  | "deleteLeft"
  | "deleteRight"
  | "killLeft"
  | "killRight"
  | "killBlankWordLeft"
  | "killWordLeft"
  | "killWordRight"
  | "yank"
  | "transpose"
  | "undo";

/** The command of each key that has one, by the key's name. */
export const COMMANDS_BY_KEY: Readonly<Record<string, EditorCommand>> = {
  "enter": "accept",
  "ctrl-c": "interrupt",
  "ctrl-d": "end",
  "ctrl-z": "suspend",
  "tab": "complete",
  "ctrl-l": "clearScreen",
  "left": "left",
  "ctrl-b": "left",
  "right": "right",
  "ctrl-f": "right",
  "ctrl-left": "wordLeft",
  "alt-left": "wordLeft",
  "alt-b": "wordLeft",
  "ctrl-right": "wordRight",
  "alt-right": "wordRight",
  "alt-f": "wordRight",
  "home": "home",
  "ctrl-a": "home",
  "end": "endOfLine",
  "ctrl-e": "endOfLine",
  "up": "up",
  "down": "down",
  "ctrl-p": "older",
  "ctrl-n": "newer",
  "ctrl-r": "searchOlder",
  "ctrl-s": "searchNewer",
  "backspace": "deleteLeft",
  "delete": "deleteRight",
  "ctrl-u": "killLeft",
  "ctrl-k": "killRight",
  "ctrl-w": "killBlankWordLeft",
  "alt-backspace": "killWordLeft",
  "alt-d": "killWordRight",
  "ctrl-delete": "killWordRight",
  "ctrl-y": "yank",
  "ctrl-t": "transpose",
  "ctrl-_": "undo",
};
