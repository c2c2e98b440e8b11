/**
 * `inmem client`: one command, the lines of standard input, or a shell on a terminal.
 *
 * | called with | does |
 * |---|---|
 * | a command | runs it; its arguments are sent as typed, in UTF-8 |
 * | no command, input from a file or pipe | runs each line (`shell/piped_main.ts`) |
 * | no command, on a terminal | prompts for commands (`shell/interactive.ts`) |
 *
 * Replies are for people when standard output is a terminal, otherwise raw (`shell/format.ts`). In raw form error
 * replies go to standard error, so that the output contains data only; otherwise they go to standard output.
 *
 * @module
 */

import type { Client } from "../client/client.ts";
import { ConnectionError, ReplyError, StartError, UsageError } from "../errors.ts";
import { clientOptions } from "../role/option_tables.ts";
import { helpText as optionsHelp, type OptionValues, parseOptions } from "../role/options.ts";
import { stateFolder } from "../role/state_folder.ts";
import { connectTo, resolveTarget, settingsOf } from "../target/connect.ts";
import { type ColourChoice, type Colours, coloursFor } from "../terminal/colours.ts";
import { Output, OutputError } from "../terminal/output.ts";
import { printable } from "../terminal/printable_text.ts";
import { terminalSize } from "../terminal/terminal.ts";
import { adviceFor } from "./advice.ts";
import { clusterText } from "./cluster.ts";
import { formatError, toJson } from "./format.ts";
import type { Format } from "./format.ts";
import { helpText } from "./help.ts";
import { History } from "./history.ts";
import { terminalLook } from "./human.ts";
import { runInteractive } from "./interactive.ts";
import { isListening, isWatching } from "./live/live_words.ts";
import { liveModeOf } from "./live/mode.ts";
import { readInput, sendOne, type Words } from "./one_command.ts";
import { type PipedOptions, Status } from "./piped.ts";
import { pipeStandardInput } from "./piped_main.ts";

/**
 * Runs `inmem client`.
 *
 * @param argv the arguments after `client`
 * @returns the exit status: 0 done, 1 the server refused, 2 wrong usage, or input, output or a file that cannot be
 *   used, 3 no connection; 128 plus a signal's number when it has ended the interactive shell. The caller exits with
 *   it, since unread input may still be open.
 */
export async function clientMain(argv: readonly string[]): Promise<number> {
  let plaintext = false;
  try {
    const { values, positional } = parseOptions(clientOptions, argv);
    plaintext = values.plaintext || values.addr.plaintext === true;
    if (values.help) return await print(optionsHelp(clientOptions) + COMMANDS_HINT);
    const format: Format = values.json ? "json" : Deno.stdout.isTerminal() && !values.raw ? "human" : "raw";
    if (positional[0]?.toLowerCase() === "help") return await printHelp(positional.slice(1), format);
    checkOneCommand(values, positional);
    const colours = coloursFor(Deno.stdout.isTerminal(), values.color as ColourChoice);
    const mode = liveModeOf(values, positional);
    const target = resolveTarget(values);
    if (mode === undefined && isListening(positional)) {
      // The tools that few calls need are imported when they are needed.
      const { runListening } = await import("./live/tools.ts");
      return await reportingRefusals(positional, { format, colours }, () => {
        return runListening(target, positional, { format, colours });
      });
    }
    const words = values.stdin ? [...positional, await readInput(Deno.stdin)] : positional;
    // Without a terminal on both sides there is no user to prompt.
    if (mode === undefined && words.length === 0 && !(Deno.stdin.isTerminal() && Deno.stdout.isTerminal())) {
      const options: PipedOptions = {
        format,
        quiet: values.quiet,
        stopOnError: values["stop-on-error"],
        listen: async (words) => {
          const { runListening } = await import("./live/tools.ts");
          return await runListening(target, words, { format, colours });
        },
      };
      return await pipeStandardInput(await settingsOf(target), options);
    }
    const client = await connectTo(target);
    try {
      if (mode !== undefined) {
        const { runMode } = await import("./live/tools.ts");
        return await reportingRefusals(positional, { format, colours }, () => {
          return runMode(mode, client, values, positional, { format, colours });
        });
      }
      if (words.length > 0) return await runOne(client, words, { format, colours, values });
      return await runInteractive(client, target, new History(historyPath()), {
        format,
        colours,
        hasPages: values.pager === "auto",
      });
    } finally {
      client.disconnect();
      await client.close();
    }
  } catch (error) {
    if (error instanceof UsageError || error instanceof StartError) return complain(error.message, Status.Usage);
    if (error instanceof ConnectionError) {
      const outcome = error.sent ? "; the command may have taken effect" : "";
      return complain(error.message + (hintFor(error, plaintext) || outcome), Status.NoConnection);
    }
    if (error instanceof ReplyError) {
      const reason = formatError(error, "raw").trimEnd();
      return complain(withHint(`Cannot authenticate: ${reason}`, hintForPassword(error)), Status.Refused);
    }
    if (error instanceof OutputError) return complain(error.message, Status.Usage);
    throw error;
  }
}

const COMMANDS_HINT = '\n"inmem client help" lists the commands, "inmem client help COMMAND" explains one.\n' +
  '"inmem client cluster" shows the servers behind a proxy, and with --watch again and again.\n' +
  '"inmem client subscribe CHANNEL" and "inmem client monitor" show messages until Ctrl-C.\n';

type Values = OptionValues<typeof clientOptions>;

/** The options that need a command among the arguments. */
function checkOneCommand(values: Values, words: readonly string[]): void {
  if (values.raw && values.json) throw new UsageError("Cannot use --raw together with --json: expected one of them");
  if (words.length > 0) return;
  const option = values.stdin
    ? "-x"
    : values.out !== undefined
    ? "--out"
    : values["fail-nil"]
    ? "--fail-nil"
    : undefined;
  if (option !== undefined) {
    throw new UsageError(`Cannot use ${option} without a command: expected the command after the options`);
  }
}

async function runOne(
  client: Client,
  words: Words,
  { format, colours, values }: { format: Format; colours: Colours; values: Values },
): Promise<number> {
  return await reportingRefusals(words, { format, colours }, async () => {
    if (isWatching(words)) {
      const { runWatching } = await import("./live/tools.ts");
      return await runWatching(client, words, { format, colours });
    }
    if (String(words[0]).toLowerCase() === "cluster") {
      const width = Deno.stdout.isTerminal() ? terminalSize().columns : Infinity;
      return await print(await clusterText(client, words, format, width, colours));
    }
    const { isNil, bytes } = await sendOne(client, words, {
      format,
      look: terminalLook(colours),
      isExact: values.raw,
      out: values.out,
    });
    await print(bytes);
    if (!isNil) return Status.Done;
    if (values.out !== undefined) return complain(`Cannot write "${values.out}": the reply is nil`, Status.Refused);
    return values["fail-nil"] ? Status.Refused : Status.Done;
  });
}

/** Runs a command; a refusal is written in place of its reply. */
async function reportingRefusals(
  words: Words,
  { format, colours }: { format: Format; colours: Colours },
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error });
    if (!(error instanceof ReplyError)) throw error;
    const text = formatError(error, format, colours) + (format === "json" ? "" : adviceFor(words, error, "call"));
    if (format === "raw") writeError(text);
    else await print(text);
    return Status.Refused;
  }
}

async function printHelp(topics: readonly string[], format: Format): Promise<number> {
  const text = helpText(topics[0], Deno.stdout.isTerminal() ? terminalSize().columns : undefined);
  if (text === undefined) throw new UsageError(`No help for "${topics[0]}": "inmem client help" lists the commands`);
  return await print(format === "json" ? `${toJson(text)}\n` : text);
}

async function print(bytes: Uint8Array | string): Promise<number> {
  const output = new Output(Deno.stdout);
  output.add(bytes);
  await output.flushed();
  if (output.failure !== undefined) throw output.failure;
  return Status.Done;
}

function complain(message: string, status: Status): Status {
  writeError(`inmem client: ${printable(message)}\n`);
  return status;
}

function writeError(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += Deno.stderr.writeSync(bytes.subarray(written));
}

/** Returns advice for the user, as far as the reason allows. */
function hintFor(error: ConnectionError, plaintext: boolean): string {
  const { message } = error;
  if (/nobody listens/.test(message)) return `; is the server running? Start it with "inmem server", or use --addr`;
  if (/not trusted/.test(message)) return "; pass its authority's certificate with --ca FILE";
  if (/does not speak TLS/.test(message)) return "; if it was started with --plaintext, use that option here, too";
  if (/has no address/.test(message)) return "; check --addr";
  if (plaintext && /closed it/.test(message)) return "; if it speaks TLS, leave out --plaintext";
  return "";
}

/** Returns advice for a refusal because of the password; empty for another refusal. */
function hintForPassword({ code, message }: ReplyError): string {
  const given = "--password-file FILE, or INMEM_PASSWORD";
  if (code === "WRONGPASS") return `pass the right one with ${given}`;
  if (!/password/i.test(message)) return "";
  return "if this server requires no password, leave out --password-file and unset INMEM_PASSWORD";
}

/** Joins a reason and the advice for it. The advice is a separate sentence if the reason ends like one. */
function withHint(reason: string, hint: string): string {
  if (hint === "") return reason;
  return /[.?!]$/.test(reason) ? `${reason} ${hint[0]!.toUpperCase()}${hint.slice(1)}` : `${reason}; ${hint}`;
}

/** Returns the path of the history file; `undefined` when the environment names no home. */
function historyPath(): string | undefined {
  try {
    return `${stateFolder()}/history`;
  } catch {
    return undefined;
  }
}
