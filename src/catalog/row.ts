/**
 * The row of a command: everything that is known about it except its function.
 *
 * Each group has a file of rows (`string.ts`, `list.ts`, …). A row contains only facts that do not follow from others.
 * The number of arguments, the places of keys and the options follow from the syntax (`command_syntax.ts`,
 * `call_shape.ts`), and whether a command writes follows from its use of keys. `specification.ts` joins both, and
 * refuses to start with a row that contradicts itself.
 *
 * @module
 */

/** The thing that a command works on; `help` lists commands by it. */
export type Group = "string" | "list" | "hash" | "set" | "key" | "transaction" | "channel" | "connection" | "server";

/**
 * The way in which the proxy carries out a command.
 *
 * | routing | to which servers | reply |
 * |---|---|---|
 * | `key` | the owner of its key; any server if it has no key (`object help`) | that server's, unchanged |
 * | `together` | the owner of its keys, which must share a slot | that server's, unchanged |
 * | `sum` | the owners of its keys, each with its own keys | the sum of the integers |
 * | `values` | the owners of its keys, each with its own keys | the values in the order of the request |
 * | `pairs` | the owners of its keys, each with its own pairs | `OK` |
 * | `total` | all | the sum of the integers |
 * | `merge` | all | the arrays one after another |
 * | `every` | all | `OK` |
 * | `everywhere` | all, after the proxy itself | `OK`, or the sum of the integers |
 * | `newest` | all | the rows with the latest times of all arrays |
 * | `latencies` | all | the events of all servers and of the proxy, joined by their names |
 * | `top` | all | the rows with the largest numbers of all arrays |
 * | `any` | one at random, then the others if it returns nil | that server's |
 * | `scan` | one after another | a cursor that contains server and position |
 * | `local` | none: the proxy replies | its own |
 * | `wait` | the owner of its keys, which must share a slot | that server's; other requests do not wait for it |
 * | `transaction` | the owner of all keys until `exec`, which must share a slot | that server's |
 * | `channel` | none, or the owners of the channels | its own, and messages |
 * | `publish` | the owner of the channel in argument 1 | that server's, including the proxy's own clients |
 */
export type Routing =
  | "key"
  | "together"
  | "sum"
  | "values"
  | "pairs"
  | "total"
  | "merge"
  | "top"
  | "every"
  | "everywhere"
  | "newest"
  | "latencies"
  | "any"
  | "scan"
  | "local"
  | "wait"
  | "transaction"
  | "channel"
  | "publish";

/**
 * The arguments of a command that are secret, so that the client's history does not keep the line.
 *
 * | secret | secret arguments |
 * |---|---|
 * | `arguments` | all arguments |
 * | `words` | the arguments after the word AUTH |
 * | `settings` | the values of settings whose names suggest passwords |
 * | `command` | the secret arguments of the command that the arguments are |
 */
export type Secret = "none" | "arguments" | "words" | "settings" | "command";

/** The part of an administrator's command that is logged. */
export interface AdminFacts {
  /** The subcommands that are logged; without it, all calls are. */
  readonly subcommands?: readonly string[];
  /** The number of arguments after the name that are logged. Later ones may be secret, or may not be text. */
  readonly shownCount: number;
}

type KeyAccess = "RO" | "RW" | "OW" | "RM";
type KeyEffect = "insert" | "update" | "delete";

/**
 * The use of a key by a command, in Redis's terms. The first word says whether the command reads the value (`RO`),
 * reads and changes it (`RW`), overwrites it (`OW`) or removes it (`RM`). `access` means that the reply depends on the
 * value, and the last word is the change of the value.
 */
export type KeyUse = KeyAccess | `${KeyAccess} ${"access" | KeyEffect}` | `${KeyAccess} access ${KeyEffect}`;

/**
 * The rule for a command that comes while its client queues a transaction.
 *
 * | rule | what happens |
 * |---|---|
 * | `queued` | it waits for `exec` |
 * | `atOnce` | it runs immediately |
 * | `refused` | it is refused, because it waits for something other than the store |
 */
export type TransactionRule = "queued" | "atOnce" | "refused";

/** The effect of a command on the transaction of its client. */
export type TransactionStep = "begin" | "run" | "discard" | "watch" | "unwatch";

/**
 * The source of the deadline of a key that a command creates: the default TTL (`default`), the request (`given`), or
 * the key that had the value before (`kept`).
 */
export type Creation = "default" | "given" | "kept";

/** The rules for a command in a proxy, besides its routing. */
export interface ProxyRules {
  /** The reason for which the proxy refuses the command. */
  readonly refused?: string;
  /** The reasons for which the proxy refuses subcommands without a key, by their names in lower case. */
  readonly refusedSubcommands?: Readonly<Record<string, string>>;
  /** The reason for which the proxy refuses the command when it has arguments. */
  readonly refusedArguments?: string;
  /** Whether any server can run it as part of a transaction, although it has no key. */
  readonly anyServer?: boolean;
  /**
   * The command that returns an element to its list, with the key and the element of the reply, when the client of that
   * reply has disconnected.
   */
  readonly undoneBy?: string;
}

/** One command. Counts and positions include the command's name, whose position is 0. */
export interface Row {
  /** The arguments as `help` shows them, with their types, in the notation of `command_syntax.ts`. */
  readonly syntax: string;
  /** The description of the command in a sentence or two. */
  readonly summary: string;
  /** The first version of Redis that has the command, unless Redis does not have it. */
  readonly since?: string;
  /** The growth of its time with the data. */
  readonly complexity: string;
  /** Additional names with the same meaning. */
  readonly aliases?: readonly string[];
  /**
   * The use of its keys: one for all keys, or one for each, the last of which is for all further keys. Required exactly
   * when the syntax has keys.
   */
  readonly keys?: KeyUse | readonly KeyUse[];
  /** Whether the command may change data although it has no key. */
  readonly writes?: boolean;
  /** The fewest arguments with which it may change data: `ttl key` only reads. */
  readonly writesFromCount?: number;
  /** Whether the command may need memory, so that it is refused when the store is full. */
  readonly grows?: boolean;
  /**
   * The source of the deadline of keys that the command creates. `tests/command/duties_test.ts` tries every command.
   */
  readonly creates?: Creation;
  /** Whether its last key may hold a new list afterwards, so that clients that wait for elements are served. */
  readonly wakes?: boolean;
  /** Whether the command takes the same short time with any data: under all of its names, or under these. */
  readonly fast?: boolean | readonly string[];
  /** Whether it may take long although its request is short. */
  readonly mayTakeLong?: boolean;
  /** Whether it can hurt the server or other clients. */
  readonly dangerous?: boolean;
  /** The number of arguments, if it differs from the syntax, as in `CommandSpecification.arity`. */
  readonly arity?: number;
  /** The most arguments, if they differ from the default. */
  readonly argumentsMaxCount?: number;
  /** Whether it accepts any text, although the other commands of its group accept only words. */
  readonly takesAnyText?: boolean;
  /** Whether it may run before authentication; `native` for only in the native protocol. */
  readonly open?: boolean | "native";
  /** Whether it may run on a connection of RESP2 that listens to channels. */
  readonly listens?: boolean;
  /** Whether it begins or ends subscriptions. */
  readonly subscription?: "begins" | "ends";
  /** The rule while a transaction is queued; `queued` by default. */
  readonly inTransaction?: TransactionRule;
  /** The effect on the client's transaction. Required exactly in the group `transaction`. */
  readonly transactionStep?: TransactionStep;
  /** Whether argument 1 is the number of a database. Any but 0 ends the connection, also while commands are queued. */
  readonly selectsDatabase?: boolean;
  /** Whether its reply and all later ones may be in another version of the protocol. */
  readonly changesProtocol?: boolean;
  /** The secret arguments; `none` by default. */
  readonly secret?: Secret;
  /** The parts that are logged. Required for an administrator's command. */
  readonly admin?: AdminFacts;
  /** The routing; by default, that of the group. */
  readonly routing?: Routing;
  /** The routings of subcommands that differ from that of the command, by their names in lower case. */
  readonly subcommandRoutings?: Readonly<Record<string, Routing>>;
  /** Whether its reply is delayed by the seconds in its last argument. */
  readonly replyDelay?: "sleep";
  /** Whether its reply is text in lines, for people; or the subcommands whose reply is. */
  readonly textReply?: boolean | readonly string[];
  /** The names of the columns, if its reply is an array of rows. The first one is the row's own name. */
  readonly columns?: readonly string[];
  readonly proxy?: ProxyRules;
}

/** The commands of a group, by name. */
export type Rows = Readonly<Record<string, Row>>;
