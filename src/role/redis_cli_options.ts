/**
 * Hints for those who type the options of redis-cli: what does the same here.
 *
 * @module
 */

const PASSWORD = "the environment variable INMEM_PASSWORD, or --password-file, has the password";
const NO_CLIENT_CERTIFICATE = "clients have no certificate, only a password";

/** The hint for each option of redis-cli whose name is not an option here. `-h` and `-p` need what follows them. */
const HINTS: Readonly<Record<string, string>> = {
  a: PASSWORD,
  pass: PASSWORD,
  user: `there is one user; ${PASSWORD}`,
  n: "there is one database",
  c: "a proxy needs no such option, and finds the server of each key",
  tls: "TLS is used unless --plaintext is given",
  cacert: "--ca FILE does it",
  cacertdir: "--ca FILE does it, with all certificates in one file",
  cert: NO_CLIENT_CERTIFICATE,
  key: NO_CLIENT_CERTIFICATE,
  sni: "the name in --addr is verified",
  s: "there are no Unix sockets",
  r: 'a number before a command at the prompt repeats it, such as "5 ping"',
  e: "the exit status is 1 after an error anyway",
  pipe: "commands come from standard input: inmem client < FILE",
  rdb: "inmem export writes all keys",
  eval: "there are no scripts",
  csv: "inmem export --format csv writes keys, and --json writes a reply",
  "no-auth-warning": "there is no such warning",
};

/**
 * Returns the hint for an option of redis-cli; `undefined` for any other word.
 *
 * @param word the option without its dashes
 * @param following the arguments after it
 * @param argv all arguments
 */
export function redisCliHint(word: string, following: readonly string[], argv: readonly string[]): string | undefined {
  if (word !== "h" && word !== "p") return Object.hasOwn(HINTS, word) ? HINTS[word] : undefined;
  const [value] = following;
  if (value === undefined || value.startsWith("-")) return undefined;
  const other = argv[argv.indexOf(word === "h" ? "-p" : "-h") + 1];
  const isBoth = argv.includes("-h") && argv.includes("-p");
  const [host, port] = word === "h" ? [value, isBoth ? other : undefined] : [isBoth ? other : "127.0.0.1", value];
  const meaning = word === "h" ? "-h is --help here; " : "";
  return `${meaning}a server is --addr ${host}${port === undefined ? "" : `:${port}`}`;
}
