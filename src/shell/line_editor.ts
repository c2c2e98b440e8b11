/**
 * The line editor of the prompt: keys change a text, and the terminal shows it.
 *
 * `node:readline` takes U+2028 for the end of a line, measures the whole line for each character, shows the marks
 * around pasted text and loses the line being typed. The shell therefore has its own editor. Its keys are those of
 * Emacs, as in bash. The text is drawn once after each read of the terminal, for any number of keys.
 *
 * A pasted text may have several lines. They are shown and can be edited as one text. Enter submits them together, and
 * only the first of them stays on the screen: the shell types the others again as it runs them.
 *
 * A hint may follow the text. It is part of the picture while the cursor is at the end of the text, and never of the
 * text: neither a submitted text nor one that stays on the screen has it.
 *
 * @module
 */

import { EDITED_TEXT_MAX_CHARACTERS, UNDO_MAX_COUNT, UNDO_TEXT_MAX_CHARACTERS } from "../limits.ts";
import type { Colours } from "../terminal/colours.ts";
import type { ScreenSize } from "../terminal/terminal.ts";
import { nextCluster, previousCluster } from "../terminal/typed_text.ts";
import { commonPrefix, inColumns } from "./completion.ts";
import type { Completion } from "./completion.ts";
import { HistoryBrowser } from "./history_browser.ts";
import type { Draft } from "./history_browser.ts";
import { HistorySearch } from "./history_search.ts";
import type { Direction } from "./history_search.ts";
import { COMMANDS_BY_KEY } from "./key_bindings.ts";
import type { EditorCommand } from "./key_bindings.ts";
import type { Key } from "./keys.ts";
import { LineDisplay } from "./line_display.ts";

/** The functions that the editor uses. */
export interface EditorOptions {
  readonly prompt: string;
  /** Returns the present history, the newest line first. */
  history(): readonly string[];
  /**
   * Returns the completion of a line whose cursor is at its end. A promise must not reject. If the text or the cursor
   * has changed when it resolves, its completion is dropped.
   */
  complete(line: string): Completion | Promise<Completion>;
  /** Returns a printable text to show after a text while its cursor is at its end. */
  hint?(text: string): string;
  /** The colours of hints. Without colours there are none, since they would look like typed text. */
  readonly colours?: Colours;
  write(text: string): void;
  size(): ScreenSize;
  /** Called on Enter with the lines of the text, at least one. {@linkcode LineEditor.start} begins the next text. */
  takeLines(lines: readonly string[]): void;
  /** Called when Ctrl-C has dropped the text, before the next one begins. */
  dropped?(): void;
  /** Called on Ctrl-D with an empty text. */
  end(): void;
  /** Called on Ctrl-Z. */
  suspend(): void;
}

/** The effect of the last key, as far as the next one depends on it. */
type LastAction = "insert" | "kill" | "other";

/** An editor of one text after another. */
export class LineEditor {
  readonly #options: EditorOptions;
  readonly #display: LineDisplay;
  #text = "";
  #cursor = 0;
  #browser = new HistoryBrowser([]);
  #search: HistorySearch | undefined;
  /** The text before a search, and the last search query. */
  #beforeSearch: Draft = { text: "", cursor: 0 };
  #lastQuery = "";
  #killed = "";
  #lastAction: LastAction = "other";
  #undo: Draft[] = [];
  /** Whether an insertion was left out because the text would have become too long. */
  #isOverfull = false;
  /** The text whose completion is not known yet. */
  #completing: Draft | undefined;
  /** Whether a text is being edited; otherwise the editor does not own the screen. */
  #isActive = false;

  constructor(options: EditorOptions) {
    this.#options = options;
    this.#display = new LineDisplay(options.colours);
  }

  /** The text that is being edited. */
  get text(): string {
    return this.#text;
  }

  /** The position of the cursor in the text. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Shows the prompt with an empty text. The cursor must be at the beginning of a row. */
  start(): void {
    this.#reset("", 0);
    this.#isActive = true;
    this.#drawWithHint();
  }

  /**
   * Applies keys until a text is submitted.
   *
   * @returns the index of the first key that was not applied
   */
  take(keys: readonly Key[], from: number): number {
    let at = from;
    while (at < keys.length && this.#isActive) {
      this.#apply(keys[at++]!);
    }
    if (this.#isActive) this.#drawWithHint();
    return at;
  }

  /** Redraws the text after the terminal's size has changed. */
  resize(): void {
    if (!this.#isActive) return;
    this.#options.write(this.#display.eraseAfterResize(this.#options.size()));
    this.#drawWithHint();
  }

  /** Moves to the row below the text and keeps it. Nothing is drawn before {@linkcode LineEditor.resume}. */
  pause(): void {
    if (!this.#isActive) return;
    this.#draw();
    this.#isActive = false;
    this.#options.write(this.#display.leave());
  }

  /** Shows the text again, at the beginning of a row. */
  resume(): void {
    this.#isActive = true;
    this.#display.forget();
    this.#drawWithHint();
  }

  /** Shows the text, as it stays on the screen. */
  #draw(hint = ""): void {
    const { prompt, text, cursor } = this.#picture();
    this.#options.write(this.#display.show(prompt + text, prompt.length + cursor, this.#options.size(), hint));
  }

  /** Shows the text while it is edited. */
  #drawWithHint(): void {
    const { hint, colours } = this.#options;
    const hasHint = colours?.areOn && this.#search === undefined && this.#cursor === this.#text.length;
    this.#draw(hasHint ? hint?.(this.#text) : "");
  }

  #picture(): Draft & { prompt: string } {
    const search = this.#search;
    if (search === undefined) return { prompt: this.#options.prompt, text: this.#text, cursor: this.#cursor };
    const match = search.match;
    return { prompt: search.prompt, text: match?.line ?? this.#text, cursor: match?.at ?? this.#cursor };
  }

  #reset(text: string, cursor: number): void {
    this.#text = text;
    this.#cursor = cursor;
    this.#browser = new HistoryBrowser(this.#options.history());
    this.#search = undefined;
    this.#undo = [];
    this.#lastAction = "other";
    this.#isOverfull = false;
  }

  #apply(key: Key): void {
    if (this.#search !== undefined && this.#applyToSearch(this.#search, key)) return;
    const last = this.#lastAction;
    this.#lastAction = "other";
    if (key.name === "text") return this.#insert(key.text, last);
    const command = COMMANDS_BY_KEY[key.name];
    if (command !== undefined) this.#commands[command](last);
  }

  /**
   * Applies a key to a search of the history; returns `false` when the key ends the search and still has its own
   * effect.
   */
  #applyToSearch(search: HistorySearch, { name, text }: Key): boolean {
    if (name === "text" && !text.includes("\n")) search.extend(text);
    else if (name === "backspace") {
      search.replace(search.query.slice(0, previousCluster(search.query, search.query.length)));
    } else if (name === "ctrl-r") this.#searchNext(search, 1);
    else if (name === "ctrl-s") this.#searchNext(search, -1);
    else if (name === "ctrl-g") {
      this.#search = undefined;
      this.#text = this.#beforeSearch.text;
      this.#cursor = this.#beforeSearch.cursor;
    } else {
      this.#endSearch(search);
      return name === "escape";
    }
    return true;
  }

  #searchNext(search: HistorySearch, direction: Direction): void {
    if (search.query === "" && this.#lastQuery !== "") search.replace(this.#lastQuery);
    else search.next(direction);
  }

  /** Ends a search. The line that was found becomes the text. */
  #endSearch(search: HistorySearch): void {
    this.#search = undefined;
    if (search.query !== "") this.#lastQuery = search.query;
    const { match } = search;
    if (match === undefined) return;
    const { text } = this.#browser.jump(match.position, this.#beforeSearch);
    this.#text = text;
    this.#cursor = Math.min(match.at, text.length);
  }

  readonly #commands: Readonly<Record<EditorCommand, (last: LastAction) => void>> = {
    accept: () => this.#accept(),
    interrupt: () => this.#interrupt(),
    end: () => {
      if (this.#text !== "") return this.#commands.deleteRight("other");
      this.#isActive = false;
      this.#options.write(this.#display.leave());
      this.#options.end();
    },
    suspend: () => this.#options.suspend(),
    complete: () => this.#complete(),
    clearScreen: () => {
      this.#options.write("\x1b[H\x1b[2J");
      this.#display.forget();
    },
    left: () => this.#cursor = previousCluster(this.#text, this.#cursor),
    right: () => this.#cursor = nextCluster(this.#text, this.#cursor),
    wordLeft: () => this.#cursor = this.#wordLeft(/[\p{L}\p{M}\p{N}_]/u),
    wordRight: () => this.#cursor = this.#wordRight(),
    home: () => this.#cursor = this.#lineStart(),
    endOfLine: () => this.#cursor = this.#lineEnd(),
    up: () => this.#vertical(-1),
    down: () => this.#vertical(1),
    older: () => this.#show(this.#browser.older(this.#draft())),
    newer: () => this.#show(this.#browser.newer(this.#draft())),
    searchOlder: () => this.#startSearch(1),
    searchNewer: () => this.#startSearch(-1),
    deleteLeft: () => this.#remove(previousCluster(this.#text, this.#cursor), this.#cursor),
    deleteRight: () => this.#remove(this.#cursor, nextCluster(this.#text, this.#cursor)),
    killLeft: (last) => this.#kill(this.#lineStart(), this.#cursor, last),
    killRight: (last) => this.#kill(this.#cursor, this.#lineEnd(), last),
    killBlankWordLeft: (last) => this.#kill(this.#wordLeft(/\S/u), this.#cursor, last),
    killWordLeft: (last) => this.#kill(this.#wordLeft(/[\p{L}\p{M}\p{N}_]/u), this.#cursor, last),
    killWordRight: (last) => this.#kill(this.#cursor, this.#wordRight(), last),
    yank: () => this.#insert(this.#killed, "other"),
    transpose: () => this.#transpose(),
    undo: () => this.#show(this.#undo.pop()),
  };

  #draft(): Draft {
    return { text: this.#text, cursor: this.#cursor };
  }

  #show(draft: Draft | undefined): void {
    if (draft === undefined) return;
    this.#text = draft.text;
    this.#cursor = draft.cursor;
  }

  #keepForUndo(): void {
    if (this.#text.length > UNDO_TEXT_MAX_CHARACTERS) return;
    this.#undo.push(this.#draft());
    if (this.#undo.length > UNDO_MAX_COUNT) this.#undo.shift();
  }

  #insert(text: string, last: LastAction): void {
    if (this.#text.length + text.length > EDITED_TEXT_MAX_CHARACTERS) {
      this.#isOverfull = true;
      return;
    }
    if (last !== "insert") this.#keepForUndo();
    this.#text = this.#text.slice(0, this.#cursor) + text + this.#text.slice(this.#cursor);
    this.#cursor += text.length;
    this.#lastAction = "insert";
  }

  #remove(start: number, end: number): void {
    if (start === end) return;
    this.#keepForUndo();
    this.#text = this.#text.slice(0, start) + this.#text.slice(end);
    this.#cursor = start;
  }

  #kill(start: number, end: number, last: LastAction): void {
    const killed = this.#text.slice(start, end);
    const isLeft = end === this.#cursor;
    if (last !== "kill") this.#killed = killed;
    else this.#killed = isLeft ? killed + this.#killed : this.#killed + killed;
    this.#remove(start, end);
    this.#lastAction = "kill";
  }

  #transpose(): void {
    const middle = this.#cursor === this.#text.length ? previousCluster(this.#text, this.#cursor) : this.#cursor;
    const start = previousCluster(this.#text, middle);
    const end = nextCluster(this.#text, middle);
    if (start === middle || middle === end) return;
    this.#keepForUndo();
    const { length } = this.#text;
    this.#text = this.#text.slice(0, start) + this.#text.slice(middle, end) + this.#text.slice(start, middle) +
      this.#text.slice(end, length);
    this.#cursor = end;
  }

  #lineStart(): number {
    return this.#cursor === 0 ? 0 : this.#text.lastIndexOf("\n", this.#cursor - 1) + 1;
  }

  #lineEnd(): number {
    const end = this.#text.indexOf("\n", this.#cursor);
    return end < 0 ? this.#text.length : end;
  }

  #wordLeft(ofWord: RegExp): number {
    let at = this.#cursor;
    while (at > 0 && !ofWord.test(this.#clusterBefore(at))) at = previousCluster(this.#text, at);
    while (at > 0 && ofWord.test(this.#clusterBefore(at))) at = previousCluster(this.#text, at);
    return at;
  }

  #clusterBefore(at: number): string {
    return this.#text.slice(previousCluster(this.#text, at), at);
  }

  #wordRight(): number {
    const rest = /[\p{L}\p{M}\p{N}_]+/gu;
    rest.lastIndex = this.#cursor;
    return rest.exec(this.#text) === null ? this.#text.length : rest.lastIndex;
  }

  /** Moves to another line of the text on Up and Down, or through the history if there is none. */
  #vertical(step: 1 | -1): void {
    const start = this.#lineStart();
    const column = this.#cursor - start;
    if (step < 0 && start > 0) {
      const above = start === 1 ? 0 : this.#text.lastIndexOf("\n", start - 2) + 1;
      this.#cursor = this.#clusterStart(above, Math.min(above + column, start - 1));
    } else if (step > 0 && this.#lineEnd() < this.#text.length) {
      this.#cursor = this.#lineEnd() + 1;
      this.#cursor = this.#clusterStart(this.#cursor, Math.min(this.#cursor + column, this.#lineEnd()));
    } else {
      this.#commands[step < 0 ? "older" : "newer"]("other");
    }
  }

  /** Returns the start of the cluster at `at`. */
  #clusterStart(lineStart: number, at: number): number {
    return at === lineStart ? at : nextCluster(this.#text, previousCluster(this.#text, at));
  }

  #startSearch(direction: Direction): void {
    this.#beforeSearch = this.#draft();
    this.#search = new HistorySearch(this.#options.history(), direction);
  }

  #accept(): void {
    const lines = this.#text.split("\n");
    if (lines.length > 1 && lines.at(-1) === "") lines.pop();
    const isOverfull = this.#isOverfull;
    this.#text = lines[0]!;
    this.#cursor = this.#text.length;
    this.#draw();
    this.#isActive = false;
    this.#options.write(this.#display.leave());
    if (!isOverfull) return this.#options.takeLines(lines);
    this.#options.write(
      `Cannot take more than ${EDITED_TEXT_MAX_CHARACTERS} characters at the prompt: nothing was run; ` +
        `put the commands into a file and run: inmem client < FILE\n`,
    );
    this.start();
  }

  #interrupt(): void {
    const isEmpty = this.#text === "";
    this.#cursor = this.#text.length;
    this.#draw();
    this.#options.write(isEmpty ? '^C ("exit" or Ctrl-D ends)' : "^C");
    this.#options.write(this.#display.leave());
    this.#options.dropped?.();
    this.start();
  }

  #complete(): void {
    const { text, cursor } = this.#draft();
    const isAsked = this.#completing?.text === text && this.#completing.cursor === cursor;
    if (isAsked) return;
    const completion = this.#options.complete(text.slice(this.#lineStart(), cursor));
    if (!(completion instanceof Promise)) return this.#applyCompletion(completion);
    const asked = this.#completing = { text, cursor };
    completion.then((found) => {
      if (this.#completing === asked) this.#completing = undefined;
      const isSame = this.#isActive && this.#search === undefined && this.#text === text && this.#cursor === cursor;
      if (!isSame) return;
      this.#applyCompletion(found);
      this.#drawWithHint();
    });
  }

  #applyCompletion(completion: Completion): void {
    const { words, last, hint, note } = completion;
    const start = this.#cursor - last.length;
    const common = completion.common ?? commonPrefix(words);
    const isMore = completion.common === undefined
      ? common.length > last.length || words.length === 1
      : common !== last;
    if (isMore) {
      this.#keepForUndo();
      this.#text = this.#text.slice(0, start) + common + this.#text.slice(this.#cursor);
      this.#cursor = start + common.length;
      return;
    }
    const shown = words.length > 0 ? inColumns(words, this.#options.size().columns) : hint;
    if (shown === undefined) return this.#options.write("\x07");
    this.#draw();
    this.#options.write(`${this.#display.leave()}${shown}\r\n${note === undefined ? "" : `${note}\r\n`}`);
  }
}
