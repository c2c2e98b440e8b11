/**
 * The row of a command: everything that is known of it but its code.
 *
 * The rows stand in one file for each group (`string.ts`, `list.ts`, …). A row says only what nothing else says: how many
 * arguments a command takes, where its keys stand and which options it has follow from its syntax
 * (`command_syntax.ts`, `call_shape.ts`), and whether it writes follows from what it does with its keys.
 * `specification.ts` joins both and refuses to start with a row that contradicts itself.
 *
 * @module
 */

/** What a command works on; `help` lists by it. */
export type Group = "string" | "list" | "hash" | "key" | "transaction" | "channel" | "connection" | "server";

/**
 * What the proxy does with a command.
 *
 * | routing | to which servers | reply |
 * |---|---|---|
 * | `key` | the owner of its key; where there is none (`object help`), any | that server's, untouched |
 * | `together` | the owner of its keys, which have to share a slot | that server's, untouched |
 * | `sum` | owners of its keys, each with its own keys | the sum of the integers |
 * | `values` | owners of its keys, each with its own keys | the values in the order asked |
 * | `pairs` | owners of its keys, each with its own pairs | `OK` |
 * | `total` | all | the sum of the integers |
 * | `merge` | all | the arrays one after another |
 * | `every` | all | `OK` |
 * | `any` | one by chance, the others if that one has nothing | that server's |
 * | `scan` | one after another | a cursor that names server and position |
 * | `local` | none: the proxy replies | its own |
 * | `wait` | the owner of its keys, which have to share a slot | that server's; others' requests must not wait for it |
 * | `transaction` | the owner of all keys until `exec`, which have to share a slot | that server's |
 * | `channel` | none, or those where channels are | its own, and messages |
 * | `publish` | the owner of the channel in argument 1 | that server's, with the proxy's own clients counted |
 */
export type Routing =
  | "key"
  | "together"
  | "sum"
  | "values"
  | "pairs"
  | "total"
  | "merge"
  | "every"
  | "any"
  | "scan"
  | "local"
  | "wait"
  | "transaction"
  | "channel"
  | "publish";

/**
 * Which arguments of a command are a secret, so that the client does not remember the line.
 *
 * | secret | which |
 * |---|---|
 * | `arguments` | every one |
 * | `words` | what follows the word AUTH |
 * | `settings` | values of settings whose names tell of passwords |
 * | `command` | those of the command that the arguments are |
 */
export type Secret = "none" | "arguments" | "words" | "settings" | "command";

/** What is logged of a command of an administrator. */
export interface AdminFacts {
  /** Its subcommands that count; all calls do without it. */
  readonly subcommands?: readonly string[];
  /** How many arguments after the name are logged. Later ones may be secret, or may not be text. */
  readonly shownCount: number;
}

type KeyAccess = "RO" | "RW" | "OW" | "RM";
type KeyEffect = "insert" | "update" | "delete";

/**
 * What a command does with a key, in the words of Redis. The first word says whether it reads the value (`RO`), reads and
 * changes it (`RW`), overwrites it (`OW`) or removes it (`RM`). `access` says that the reply tells of the value, and the
 * last word says what happens to the value.
 */
export type KeyUse = KeyAccess | `${KeyAccess} ${"access" | KeyEffect}` | `${KeyAccess} access ${KeyEffect}`;

/**
 * What becomes of a command while its client queues a transaction.
 *
 * | rule | what happens |
 * |---|---|
 * | `queued` | it waits for `exec` |
 * | `atOnce` | it runs at once |
 * | `refused` | it is refused, since it waits for something else than the store |
 */
export type TransactionRule = "queued" | "atOnce" | "refused";

/** What a command does to the transaction of its client. */
export type TransactionStep = "begin" | "run" | "discard" | "watch" | "unwatch";

/**
 * Where the deadline of a key comes from that a command creates: from the default TTL (`default`), from the request
 * (`given`), or from the key that the value had before (`kept`).
 */
export type Creation = "default" | "given" | "kept";

/** What a proxy does with a command besides routing it. */
export interface ProxyRules {
  /** Why the proxy refuses the command. */
  readonly refused?: string;
  /** Why the proxy refuses a subcommand that names no key, by its name in lower case. */
  readonly refusedSubcommands?: Readonly<Record<string, string>>;
  /** Why the proxy refuses the command when it has arguments. */
  readonly refusedArguments?: string;
  /** Whether any server can run it as part of a transaction, although it has no key. */
  readonly anyServer?: boolean;
  /**
   * The command that puts an element back, with the key and the element of the reply, when nobody is there any more who
   * could take that reply.
   */
  readonly undoneBy?: string;
}

/** One command. Counts and positions include the command's name, whose position is 0. */
export interface Row {
  /** Its arguments, as `help` shows them, with their types: see `command_syntax.ts`. */
  readonly syntax: string;
  /** One sentence. */
  readonly summary: string;
  /** The version of Redis that has it first; nothing when Redis does not have it. */
  readonly since?: string;
  /** How its time grows with the data. */
  readonly complexity: string;
  /** Further names with the same meaning. */
  readonly aliases?: readonly string[];
  /** What it does with its keys: one use for all of them, or one for each. Required exactly when its syntax has keys. */
  readonly keys?: KeyUse | readonly KeyUse[];
  /** Whether it may change data although it names no key. */
  readonly writes?: boolean;
  /** The fewest arguments with which it may change data: `ttl key` only reads. */
  readonly writesFromCount?: number;
  /** Whether it may need memory, so that it is refused when the store is full. */
  readonly grows?: boolean;
  /** Whether it may create a key, and which deadline that key gets. `tests/command/duties_test.ts` tries every command. */
  readonly creates?: Creation;
  /** Whether its last key may hold a new list afterwards: then the clients that wait for elements are served. */
  readonly wakes?: boolean;
  /** Whether it takes the same short time whatever the data: under all of its names, or under these. */
  readonly fast?: boolean | readonly string[];
  /** Whether it may take long although its request is short. */
  readonly mayTakeLong?: boolean;
  /** Whether it can hurt the server or other clients. */
  readonly dangerous?: boolean;
  /** How many arguments it takes, where that differs from what the syntax says: see `CommandSpecification.arity`. */
  readonly arity?: number;
  /** Most arguments, where the default does not do. */
  readonly argumentsMaxCount?: number;
  /** Whether it takes any text, although the other commands of its group take words only. */
  readonly takesAnyText?: boolean;
  /** Whether it may run before authentication: `native` for in that protocol only. */
  readonly open?: boolean | "native";
  /** Whether it may run on a connection of RESP2 that listens to channels. */
  readonly listens?: boolean;
  /** Whether it begins or ends subscriptions. */
  readonly subscription?: "begins" | "ends";
  /** `queued` without it. */
  readonly inTransaction?: TransactionRule;
  /** Required exactly in the group `transaction`. */
  readonly transactionStep?: TransactionStep;
  /** Whether argument 1 is the number of a database. Any but 0 ends the connection, also while commands are queued. */
  readonly selectsDatabase?: boolean;
  /** Whether its reply and all later ones may be in another version of the protocol. */
  readonly changesProtocol?: boolean;
  /** `none` without it. */
  readonly secret?: Secret;
  /** Required for a command of an administrator, which is logged. */
  readonly admin?: AdminFacts;
  /** That of its group without it. */
  readonly routing?: Routing;
  /** Whether its reply is delayed by the seconds in its last argument. */
  readonly replyDelay?: "sleep";
  /** Whether its reply is text in lines, for people: `true`, or the subcommands whose reply is. */
  readonly textReply?: boolean | readonly string[];
  readonly proxy?: ProxyRules;
}

/** The commands of a group, by name. */
export type Rows = Readonly<Record<string, Row>>;
