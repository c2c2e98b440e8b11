/**
 * The meanings of the words in capitals that the syntax of commands has, such as `EX seconds`.
 *
 * A word that means something else for one command has a row with the name of the command. `tests/shell/help_test.ts`
 * finds words without a meaning.
 *
 * @module
 */

const TTL_WORDS: Readonly<Record<string, string>> = {
  NX: "Sets the TTL only if the key has none.",
  XX: "Sets the TTL only if the key has one.",
  GT: "Sets the TTL only if it ends later than the present one. A key without a TTL never ends.",
  LT: "Sets the TTL only if it ends earlier than the present one. A key without a TTL never ends.",
};

const END_WORDS: Readonly<Record<string, string>> = {
  LEFT: "The head of the list. The first word is the end to take from, the second the end to add to.",
  RIGHT: "The tail of the list.",
};

/** The meanings of words in most commands. */
const COMMON_WORDS: Readonly<Record<string, string>> = {
  EX: "Sets a TTL in seconds.",
  PX: "Sets a TTL in milliseconds.",
  EXAT: "Sets the time at which the key expires, in seconds since 1970.",
  PXAT: "Sets the time at which the key expires, in milliseconds since 1970.",
  MATCH: "Returns only names that match the pattern.",
  COUNT: "Looks at about this many items in one call; 10 by default.",
};

/** The meanings of words in one command, by its name. */
const WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  set: {
    KEEPTTL: "Keeps the TTL that the key has. Without it the TTL is removed.",
    NX: "Sets the string only if the key is absent.",
    XX: "Sets the string only if the key is present.",
    GET: "Returns the old value, or nil, instead of OK.",
  },
  getex: { PERSIST: "Removes the TTL." },
  linsert: { BEFORE: "Inserts before the pivot.", AFTER: "Inserts after the pivot." },
  lpos: {
    RANK: "Begins with this match; 2 is the second. Negative numbers count from the tail.",
    COUNT: "Returns up to this many indexes in an array; 0 for all.",
    MAXLEN: "Compares at most this many elements; 0 for all.",
  },
  lmove: END_WORDS,
  blmove: END_WORDS,
  hrandfield: { WITHVALUES: "Returns each field with its value." },
  sintercard: { LIMIT: "Stops counting at this number; 0 for no limit." },
  copy: { DB: "Names the database of the copy, which is always 0.", REPLACE: "Replaces the destination if it exists." },
  expire: TTL_WORDS,
  pexpire: TTL_WORDS,
  expireat: TTL_WORDS,
  pexpireat: TTL_WORDS,
  scan: { TYPE: "Returns only keys of this type: string, list, hash or set." },
  memory: { SAMPLES: "Looks at this many elements to estimate the size; 0 for all." },
  flush: {
    ASYNC: "Frees the memory after the reply.",
    SYNC: "Frees the memory before the reply.",
  },
  hello: {
    AUTH: "Authenticates as `auth` does.",
    SETNAME: "Gives the connection a name, as `client setname` does.",
  },
  bigkeys: { BYTES: "Orders the keys by their bytes.", ELEMENTS: "Orders the keys by their elements." },
  bgsave: { SCHEDULE: "Begins when the present snapshot is complete." },
};

/** Returns the meaning of a word in capitals in the syntax of a command; `undefined` if there is none. */
export function meaningOf(command: string, word: string): string | undefined {
  return WORDS[command]?.[word] ?? COMMON_WORDS[word];
}
