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
import { helpText as optionsHelp, type OptionValues } from "../role/options.ts";
import { stateFolder } from "../role/state_folder.ts";
import {
  askIfWanted,
  connectTo,
  isPlaintext,
  linkTo,
  resolveTarget,
  settingsOf,
  type Target,
} from "../target/connect.ts";
import { Status } from "../target/exit_status.ts";
import { failureText } from "../target/failure_text.ts";
import { QuestionEnded } from "../target/question_ended.ts";
import { parseTargetOptions } from "../target/target_values.ts";
import { type ColourChoice, type Colours, coloursFor } from "../terminal/colours.ts";
import { Output, OutputError } from "../terminal/output.ts";
import { printable } from "../terminal/printable_text.ts";
import { terminalSize } from "../terminal/terminal.ts";
import { formatError, toJson } from "./format.ts";
import type { Format } from "./format.ts";
import { terminalLook } from "./human.ts";
import { isListening, isWatching } from "./live/live_words.ts";
import { liveModeOf } from "./live/mode.ts";
import { readInput, sendOne, type Words } from "./one_command.ts";

/** How the replies of this call are shown. */
interface View {
  readonly format: Format;
  readonly colours: Colours;
}

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
    const { values, positional, given } = await parseTargetOptions(clientOptions, argv);
    plaintext = isPlaintext(values);
    if (values.help) return await print(optionsHelp(clientOptions) + COMMANDS_HINT);
    const format: Format = values.json ? "json" : Deno.stdout.isTerminal() && !values.raw ? "human" : "raw";
    if (positional[0]?.toLowerCase() === "help") return await printHelp(positional.slice(1), format);
    if (positional[0]?.toLowerCase() === "context") {
      const { contextText } = await import("./context_command.ts");
      return await print(contextText(positional.slice(1), stateFolder(), format));
    }
    checkOneCommand(values, positional);
    if (values.addr.password !== undefined && given.get("addr")?.[0]?.source === "--addr") writeError(PASSWORD_SEEN);
    const view = { format, colours: coloursFor(Deno.stdout.isTerminal(), values.color as ColourChoice) };
    const mode = liveModeOf(values, positional);
    const target = await askIfWanted(values, resolveTarget(values));
    if (mode !== undefined) {
      const { runMode } = await import("./live/tools.ts");
      return await withClient(target, (client) => {
        return reportingRefusals(positional, view, async () => {
          await authenticate(client, target);
          return await runMode(mode, client, values, positional, view);
        });
      });
    }
    const words = values.stdin ? [...positional, await readInput(Deno.stdin)] : positional;
    if (words.length > 0) return await runCommand(target, words, view, values);
    // Without a terminal on both sides there is no user to prompt.
    if (Deno.stdin.isTerminal() && Deno.stdout.isTerminal()) return await prompt(target, view, values);
    const { pipeStandardInput } = await import("./piped_main.ts");
    return await pipeStandardInput(await settingsOf(target), {
      format,
      quiet: values.quiet,
      stopOnError: values["stop-on-error"],
      listen: async (words) => {
        const { runListening } = await import("./live/tools.ts");
        return await runListening(target, words, view);
      },
    });
  } catch (error) {
    return explain(error, plaintext);
  }
}

const PASSWORD_SEEN = "inmem client: Warning: other users of this machine can see the password in this command's " +
  "arguments; use INMEM_ADDR, --password-file or --askpass\n";

const COMMANDS_HINT = '\n"inmem client help" lists the commands, "inmem client help COMMAND" explains one.\n' +
  '"inmem client cluster" shows the servers behind a proxy, and with --watch again and again.\n' +
  '"inmem client subscribe CHANNEL" and "inmem client monitor" show messages until Ctrl-C.\n' +
  '"inmem client context" lists, adds and removes servers under names of your own.\n';

type Values = OptionValues<typeof clientOptions>;

/** Checks the options that need a command among the arguments. */
function checkOneCommand(values: Values, words: readonly string[]): void {
  if (values.raw && values.json) throw new UsageError("Cannot use --raw together with --json: expected one of them");
  if (words.length > 0) return;
  const wanting = [["-x", values.stdin], ["--out", values.out !== undefined], [
    "--fail-nil",
    values["fail-nil"],
  ]] as const;
  const option = wanting.find(([, isGiven]) => isGiven)?.[0];
  if (option !== undefined) {
    throw new UsageError(`Cannot use ${option} without a command: expected the command after the options`);
  }
}

/** Runs the command of the arguments. The modules that few calls need are imported when they are needed. */
async function runCommand(target: Target, words: Words, view: View, values: Values): Promise<number> {
  if (isListening(words)) {
    const { runListening } = await import("./live/tools.ts");
    return await reportingRefusals(words, view, async () => {
      try {
        return await runListening(target, words, view);
      } catch (error) {
        if (!(error instanceof ReplyError) || error.code !== "NOAUTH") throw error;
        const authenticated = await withClient(target, (client) => authenticate(client, target));
        if (authenticated.passwords === target.passwords) throw error;
        return await runListening(authenticated, words, view);
      }
    });
  }
  if (String(words[0]).toLowerCase() === "cluster") {
    return await withClient(target, (client) => {
      return reportingRefusals(words, view, async () => {
        await authenticate(client, target);
        return await showCluster(client, words, view);
      });
    });
  }
  const link = await linkTo(target);
  try {
    return await reportingRefusals(words, view, async () => {
      try {
        return await sendAndPrint(link.send, words, view, values);
      } catch (error) {
        if (!await hasAuthenticated(link, error)) throw error;
        // The command has had no effect, so it is sent again.
        return await sendAndPrint(link.send, words, view, values);
      }
    });
  } finally {
    await link.close();
  }
}

async function sendAndPrint(
  send: Parameters<typeof sendOne>[0],
  words: Words,
  { format, colours }: View,
  values: Values,
): Promise<number> {
  const options = { format, look: terminalLook(colours), isExact: values.raw, out: values.out };
  const { isNil, bytes } = await sendOne(send, words, options);
  await print(bytes);
  if (!isNil) return Status.Done;
  if (values.out !== undefined) return complain(`Cannot write "${values.out}": the reply is nil`, Status.Refused);
  return values["fail-nil"] ? Status.Refused : Status.Done;
}

async function showCluster(client: Client, words: Words, view: View): Promise<number> {
  if (isWatching(words)) {
    const { runWatching } = await import("./live/tools.ts");
    return await runWatching(client, words, view);
  }
  const { clusterText } = await import("./cluster.ts");
  const width = Deno.stdout.isTerminal() ? terminalSize().columns : Infinity;
  return await print(await clusterText(client, words, view.format, width, view.colours));
}

async function prompt(target: Target, { format, colours }: View, values: Values): Promise<number> {
  const [{ History }, { runInteractive }] = await Promise.all([import("./history.ts"), import("./interactive.ts")]);
  return await withClient(target, async (client) => {
    const authenticated = await authenticate(client, target);
    return await runInteractive(client, authenticated, new History(historyPath()), {
      format,
      colours,
      hasPages: values.pager === "auto",
    });
  });
}

/** Asks for the password if the server requires one. Returns the target with the password that the user has given. */
async function authenticate(client: Client, target: Target): Promise<Target> {
  let { passwords } = target;
  const auth = async (password: string) => {
    await client.auth(password);
    passwords = [password];
  };
  await client.send(["echo", ""]).catch((error) => hasAuthenticated({ address: client.address, auth }, error));
  return { ...target, passwords };
}

async function withClient<T>(target: Target, run: (client: Client) => Promise<T>): Promise<T> {
  const client = await connectTo(target);
  try {
    return await run(client);
  } finally {
    client.disconnect();
    await client.close();
  }
}

/** Asks for the password if its absence is the reason of a refusal; returns whether the user has given it. */
async function hasAuthenticated(link: { address: string; auth(password: string): Promise<void> }, error: unknown) {
  if (!(error instanceof ReplyError) || error.code !== "NOAUTH") return false;
  const { authenticateByQuestion, canAsk } = await import("../target/ask_password.ts");
  if (!canAsk()) return false;
  await authenticateByQuestion(link);
  return true;
}

/** Runs a command; a refusal is written in place of its reply. */
async function reportingRefusals(
  words: Words,
  { format, colours }: View,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error });
    if (!(error instanceof ReplyError)) throw error;
    const { adviceFor } = await import("./advice.ts");
    const output = format === "raw" ? Deno.stderr : Deno.stdout;
    const columns = output.isTerminal() ? terminalSize().columns : undefined;
    const advice = format === "json" ? "" : adviceFor(words, error, "call", columns);
    const text = formatError(error, format, colours) + advice;
    if (format === "raw") writeError(text);
    else await print(text);
    return Status.Refused;
  }
}

/** Prints why the client ended, and returns the exit status. */
function explain(error: unknown, plaintext: boolean): number {
  if (error instanceof QuestionEnded) return complain(error.message, error.exitStatus);
  if (error instanceof UsageError || error instanceof StartError) return complain(error.message, Status.Usage);
  if (error instanceof ConnectionError) {
    const text = failureText(error, plaintext);
    const outcome = error.sent && text === error.message ? "; the command may have taken effect" : "";
    return complain(text + outcome, Status.NoConnection);
  }
  if (error instanceof ReplyError) {
    return complain(`Cannot authenticate: ${failureText(error, plaintext)}`, Status.Refused);
  }
  if (error instanceof OutputError) return complain(error.message, Status.Usage);
  throw error;
}

async function printHelp(topics: readonly string[], format: Format): Promise<number> {
  const { helpText } = await import("./help.ts");
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

function complain(message: string, status: number): number {
  writeError(`inmem client: ${printable(message)}\n`);
  return status;
}

function writeError(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += Deno.stderr.writeSync(bytes.subarray(written));
}

/** Returns the path of the history file; `undefined` when the environment names no home. */
function historyPath(): string | undefined {
  try {
    return `${stateFolder()}/history`;
  } catch {
    return undefined;
  }
}
