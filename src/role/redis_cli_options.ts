/**
 * Hints for those who type the options of redis-cli: what does the same here.
 *
 * @module
 */

const PASSWORD = "--askpass, --password-file or the environment variable INMEM_PASSWORD gives the password";
const NO_CLIENT_CERTIFICATE = "clients have no certificate, only a password";

/** The hint for each option of redis-cli whose name is not an option here. */
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

/** Returns the hint for an option of redis-cli, without its dashes; `undefined` for any other word. */
export function redisCliHint(word: string): string | undefined {
  return Object.hasOwn(HINTS, word) ? HINTS[word] : undefined;
}
