/**
 * Replaces certificates, authorities and passwords while server and proxy run: no client is refused.
 *
 * `RELOADS` is the number of times that a certificate is replaced under load.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../src/client/client.ts";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { makeCertificates } from "../../src/role/certs.ts";
import { amountOf, longOnly } from "../support/amount.ts";
import { type Launcher, type Role, systemTest } from "../support/launcher.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

const RELOADS_COUNT = amountOf("RELOADS", 4, 30);
/** The pause of each loop that connects, in ms. */
const LOAD_PAUSE_MS = 20;
/**
 * The longest time until a change is applied, in ms. It is 2 s on a machine that is less busy than one that runs tests.
 */
const APPLIED_MS = 20_000;
const DAY_MS = 86_400_000;

/** A certificate, and the authority that signed it. */
interface Identity {
  readonly cert: string;
  readonly key: string;
  readonly authority: string;
}

/** Creates two certificates by two authorities, so that a client sees which one is served. */
async function makeIdentities(nowMs = Date.now()): Promise<[Identity, Identity]> {
  const make = async () => {
    const authority = await makeAuthority(Date.now());
    return { ...await makeServerCertificate(authority, ["localhost", "127.0.0.1"], nowMs), authority: authority.cert };
  };
  return [await make(), await make()];
}

/** The files of a certificate, which the tests replace. */
interface Files {
  readonly cert: string;
  readonly key: string;
}

async function writeFiles({ cert, key }: Files, identity: Identity): Promise<void> {
  await Deno.writeTextFile(cert, identity.cert);
  await Deno.writeTextFile(key, identity.key, { mode: 0o600 });
}

async function newFiles(launcher: Launcher, identity: Identity): Promise<Files> {
  const folder = launcher.newFolder("pair");
  await Deno.mkdir(folder);
  const files = { cert: `${folder}/server.pem`, key: `${folder}/server.key` };
  await writeFiles(files, identity);
  return files;
}

/** The ways in which people and programs replace the two files. */
const WAYS: Readonly<Record<string, (files: Files, identity: Identity) => Promise<void>>> = {
  "in place": writeFiles,
  "in place, the key first": async ({ cert, key }, identity) => {
    await Deno.writeTextFile(key, identity.key);
    await Deno.writeTextFile(cert, identity.cert);
  },
  "by rename": async ({ cert, key }, identity) => {
    await writeFiles({ cert: `${cert}.new`, key: `${key}.new` }, identity);
    await Deno.rename(`${cert}.new`, cert);
    await Deno.rename(`${key}.new`, key);
  },
  "deleted and written again": async ({ cert, key }, identity) => {
    await Deno.remove(cert);
    await Deno.remove(key);
    await writeFiles({ cert, key }, identity);
  },
};

/** Returns whether a role serves a certificate. */
async function serves({ address }: Role, { authority }: Identity, password?: string): Promise<boolean> {
  try {
    await using client = await connect({ addr: address, caCerts: [authority], ...password && { password } });
    await client.send(["ping"]);
    return true;
  } catch (error) {
    assertMatch(String(error), /not trusted/);
    return false;
  }
}

function untilServed(role: Role, identity: Identity): Promise<void> {
  return until(() => serves(role, identity), "the certificate is served", APPLIED_MS);
}

function linesOf({ process }: Role, pattern: RegExp): string[] {
  return process.lines.filter((line) => pattern.test(line));
}

/** Connects repeatedly, and sets a key on each connection. */
class Load {
  readonly failures: unknown[] = [];
  connections = 0;
  #ends = false;
  readonly #ended: Promise<unknown>;

  constructor(addresses: readonly string[], options: () => { caCerts: readonly string[]; password?: string }) {
    this.#ended = Promise.all(addresses.map(async (addr) => {
      while (!this.#ends) {
        try {
          await using client = await connect({ addr, ...options() });
          await client.set(`key ${this.connections}`, addr);
          this.connections++;
        } catch (error) {
          this.failures.push(error);
        }
        // Closing a connection occupies one of the runtime's 32 threads for 100 ms, and file operations need these
        // threads too.
        await pause(LOAD_PAUSE_MS);
      }
    }));
  }

  async end(): Promise<void> {
    this.#ends = true;
    await this.#ended;
    assertEquals(this.failures, []);
  }
}

systemTest(
  `${RELOADS_COUNT} certificates are replaced under load, in all ways, and no connection is refused`,
  async (launcher) => {
    const identities = await makeIdentities();
    const caCerts = identities.map(({ authority }) => authority);
    const files = await newFiles(launcher, identities[0]);
    const server = await launcher.server(["--cert", files.cert, "--key", files.key]);
    await using kept = await connect({ addr: server.address, caCerts: [caCerts[0]!] });
    const load = new Load([server.address, server.address, server.address], () => ({ caCerts }));
    const ways = Object.values(WAYS);
    for (let round = 1; round <= RELOADS_COUNT; round++) {
      const identity = identities[round % 2]!;
      await ways[round % ways.length]!(files, identity);
      await untilServed(server, identity);
    }
    await load.end();
    assert(load.connections > RELOADS_COUNT, `${load.connections}`);
    assertEquals(await kept.send(["ping"]), "PONG");
    assertEquals(linesOf(server, /was replaced/).length, RELOADS_COUNT);
  },
);

systemTest(
  "a half-written pair leaves the old one in use, with one warning, until the rest is written",
  longOnly,
  async (launcher) => {
    const [first, second] = await makeIdentities();
    const files = await newFiles(launcher, first);
    const server = await launcher.server(["--cert", files.cert, "--key", files.key]);
    const faults: [string, () => Promise<void>, RegExp][] = [
      [
        "the certificate is new",
        () => Deno.writeTextFile(files.cert, second.cert),
        /it is not the key of the certificate/,
      ],
      ["it is cut off", () => Deno.writeTextFile(files.cert, second.cert.slice(0, 200)), /block 1 .* is cut off/],
      ["it is gone", () => Deno.remove(files.cert), /there is no such file/],
      ["others may read the key", async () => {
        await Deno.writeTextFile(files.cert, first.cert);
        await Deno.chmod(files.key, 0o644);
      }, /its mode is 0644/],
    ];
    for (const [what, harm, pattern] of faults) {
      await harm();
      await until(() => linesOf(server, pattern).length > 0, `a warning says that ${what}`, APPLIED_MS);
      // The server looks at the files several times meanwhile.
      await pause(1_500);
      assertEquals(linesOf(server, pattern).length, 1, what);
      assertMatch(
        linesOf(server, pattern)[0]!,
        /warn .*"; the certificate in use stays|; the certificate in use stays/,
      );
      assert(await serves(server, first), what);
    }
    server.process.signal("SIGHUP");
    await until(() => linesOf(server, /its mode is 0644/).length === 2, "a signal repeats the warning", APPLIED_MS);
    assertEquals(linesOf(server, /after SIGHUP/).length, 1);
    await Deno.chmod(files.key, 0o600);
    await until(() => linesOf(server, /is valid again/).length === 1, "the recovery is logged", APPLIED_MS);
    assertEquals(linesOf(server, /was replaced/).length, 0);
    await writeFiles(files, second);
    await untilServed(server, second);
    assertEquals(linesOf(server, /was replaced, new connections get the new one.*expires=20.*days=7/).length, 1);
  },
);

systemTest("certificates are followed through links that are swapped, as Kubernetes does", async (launcher) => {
  const identities = await makeIdentities();
  const folder = launcher.newFolder("mount");
  await Deno.mkdir(folder);
  const swap = async (version: number) => {
    await Deno.mkdir(`${folder}/..${version}`);
    const inside = { cert: `${folder}/..${version}/tls.crt`, key: `${folder}/..${version}/tls.key` };
    await writeFiles(inside, identities[version % 2]!);
    await Deno.symlink(`..${version}`, `${folder}/..data_tmp`);
    await Deno.rename(`${folder}/..data_tmp`, `${folder}/..data`);
    if (version > 0) await Deno.remove(`${folder}/..${version - 1}`, { recursive: true });
  };
  await swap(0);
  for (const name of ["tls.crt", "tls.key"]) await Deno.symlink(`..data/${name}`, `${folder}/${name}`);
  const server = await launcher.server(["--cert", `${folder}/tls.crt`, "--key", `${folder}/tls.key`]);
  for (let version = 1; version <= 3; version++) {
    await swap(version);
    await untilServed(server, identities[version % 2]!);
  }
  assertEquals(linesOf(server, /stays/), []);
});

systemTest("one file with certificate and key is enough, and is followed", async (launcher) => {
  const [first, second] = await makeIdentities();
  const path = launcher.path("combined.pem");
  const write = ({ cert, key }: Identity) => Deno.writeTextFile(path, `\ufeff${cert}${key}`, { mode: 0o600 });
  await write(first);
  const server = await launcher.server(["--cert", path]);
  assert(await serves(server, first));
  await write(second);
  await untilServed(server, second);
});

systemTest(
  "a proxy follows its certificate and its --ca, and reaches servers of another authority",
  longOnly,
  async (launcher) => {
    const [first, second] = await makeIdentities();
    const files = await newFiles(launcher, first);
    const words = ["--cert", files.cert, "--key", files.key];
    const server = await launcher.server(words);
    const ca = launcher.path("trusted.pem");
    await Deno.writeTextFile(ca, first.authority);
    const list = await launcher.serversFile([server.address]);
    const where = ["--addr", "127.0.0.1:0", "--servers", list, "--ca", ca];
    const process = launcher.start("proxy", ["proxy", ...where, ...words]);
    const proxy = { process, address: await process.address() };
    const caCerts = [first.authority, second.authority];
    const reaches = async () => {
      await using client = await connect({ addr: proxy.address, caCerts });
      return await client.set("a", "b").then(() => true, () => false);
    };
    assert(await reaches());
    await Deno.writeTextFile(ca, second.authority.slice(0, 200));
    await until(
      () => linesOf(proxy, /trusted\.pem.*is cut off.*; the certificates in use stay/).length === 1,
      "a line",
      APPLIED_MS,
    );
    await Deno.writeTextFile(ca, second.authority);
    await until(
      () => linesOf(proxy, /of --ca were replaced certificates=1/).length === 1,
      "the change is logged",
      APPLIED_MS,
    );
    await writeFiles(files, second);
    await untilServed(server, second);
    await untilServed(proxy, second);
    // The old connections end when the server restarts. New ones trust the new authority.
    await launcher.stop(server);
    await launcher.server([...words, "--addr", server.address]);
    await until(reaches, "the server is reached", APPLIED_MS);
    await using client = await connect({ addr: proxy.address, caCerts });
    const info = await client.info("server");
    assertMatch(info, /^tls_certificate_expires:20\d\d-\d\d-\d\dT[\d:]+Z\r\ntls_certificate_expires_in_days:7\d\d\r$/m);
    assertMatch(info, /^tls_authority_expires:20\d\d-\d\d-\d\dT[\d:]+Z\r\ntls_authority_expires_in_days:3\d\d\d\r$/m);
  },
);

systemTest(
  "passwords of server, proxy and clients are replaced under load, step by step, and no client is refused",
  longOnly,
  async (launcher) => {
    const caCerts = [await Deno.readTextFile(launcher.certificates.authority)];
    const [ofServer, ofProxy] = [launcher.path("server.txt"), launcher.path("proxy.txt")];
    const write = (path: string, text: string) => Deno.writeTextFile(path, text, { mode: 0o600 });
    await write(ofServer, "old\n");
    await write(ofProxy, "old\n");
    const server = await launcher.server(["--password-file", ofServer]);
    const proxy = await launcher.proxy(await launcher.serversFile([server.address]), ["--password-file", ofProxy]);
    let password = "old";
    const load = new Load(
      [server.address, server.address, proxy.address, proxy.address],
      () => ({ caCerts, password }),
    );
    await using kept = await connect({ addr: proxy.address, caCerts, password });
    const loaded = async () => {
      const { connections } = load;
      await until(() => load.connections > connections + 10, "others connect", APPLIED_MS);
    };
    await loaded();
    const steps: [string, string, RoleLines][] = [
      [ofServer, "old\nnew\n", server],
      [ofProxy, "new\nold\n", proxy],
    ];
    for (const [path, text, role] of steps) await replace(path, text, role);
    // New connections of the proxy to the server authenticate with the new password.
    password = "new";
    await loaded();
    for (const [path, role] of [[ofServer, server], [ofProxy, proxy]] as const) await replace(path, "new\n", role);
    await loaded();
    await load.end();
    // Authenticated connections stay authenticated.
    assertEquals(await kept.text.get("nothing"), null);
    for (const role of [server, proxy]) {
      const { code, stderr } = await launcher.client(role, ["ping"], { env: { INMEM_PASSWORD: "old" } });
      assertEquals(code, 1);
      assertMatch(stderr, /WRONGPASS/);
    }

    type RoleLines = Role;
    async function replace(path: string, text: string, role: Role): Promise<void> {
      const before = linesOf(role, /password file .* was replaced/).length;
      await write(path, text);
      await until(() => linesOf(role, /password file .* was replaced/).length > before, "it is read", APPLIED_MS);
      await loaded();
    }
  },
);

systemTest(
  "a bad password file leaves the passwords as they are, with one warning; clients with two try the second",
  longOnly,
  async (launcher) => {
    const path = launcher.path("password.txt");
    const write = (text: string) => Deno.writeTextFile(path, text, { mode: 0o600 });
    await write("first");
    const server = await launcher.server(["--password-file", path]);
    for (const [text, pattern] of [["", /it is empty/], ["a\nb\nc", /it has 3 lines/]] as const) {
      await write(text);
      await until(() => linesOf(server, pattern).length > 0, "a warning is logged", APPLIED_MS);
      await pause(1_200);
      assertEquals(linesOf(server, pattern).length, 1);
      assertMatch(linesOf(server, pattern)[0]!, /; the passwords in use stay/);
    }
    const other = launcher.path("client.txt");
    await Deno.writeTextFile(other, "wrong\r\nfirst\r\n", { mode: 0o600 });
    const { code, stdout } = await launcher.client(server, ["--password-file", other, "ping"]);
    assertEquals([code, stdout.trim()], [0, "PONG"]);
    // When a server refuses the proxy's first password, the proxy sends the second, and begins with it from then on.
    const list = await launcher.serversFile([server.address]);
    const proxy = await launcher.proxy(list, ["--servers-password-file", other]);
    assertEquals((await launcher.client(proxy, ["set", "a", "b"])).code, 0);
    // The proxy sends its own requests over the other protocol.
    await using client = await launcher.connect(proxy);
    await until(
      async () => /server0:.*state=up,.*keys=/.test(await client.info("cluster")),
      "the proxy asks",
      APPLIED_MS,
    );
    assertEquals(linesOf(proxy, /is down/), []);
  },
);

systemTest(
  "a certificate that expires soon is reported immediately, and when it has expired",
  longOnly,
  async (launcher) => {
    const [soon] = await makeIdentities(Date.now() - 730 * DAY_MS + 20_000);
    const files = await newFiles(launcher, soon);
    const server = await launcher.server(["--cert", files.cert, "--key", files.key]);
    await until(() => linesOf(server, /warn .*server\.pem" expired on 20/).length === 1, "it is logged", 60_000);
    assertEquals(linesOf(server, /warn .*server\.pem" expires in 1 hour, on 20/).length, 1);
  },
);

systemTest(
  "the certificate that a server has made itself is renewed while it runs, before it expires",
  longOnly,
  async (launcher) => {
    const state = launcher.newFolder("state");
    // The certificate is valid for 30 days and some seconds: it is renewed at the start of a slow machine, or soon
    // after it.
    const { paths } = await makeCertificates(`${state}/inmem`, [], { nowMs: Date.now() - 700 * DAY_MS + 10_000 });
    const [authority, cert] = [await Deno.readTextFile(paths.authority), await Deno.readTextFile(paths.cert)];
    const words = ["server", "--addr", "127.0.0.1:0", "--no-persist"];
    const process = launcher.start("server", words, { XDG_STATE_HOME: state });
    const address = await process.address();
    const daysLeft = async () => {
      await pause(300);
      await using client = await connect({ addr: address, caCerts: [authority] });
      const info = await client.info("server");
      return Number(/tls_certificate_expires_in_days:(\d+)/.exec(info)?.[1]);
    };
    await until(async () => await daysLeft() > 700, "it is renewed", 60_000);
    assert(await Deno.readTextFile(paths.cert) !== cert);
    assertEquals(await Deno.readTextFile(paths.authority), authority);
    assertEquals(process.lines.filter((line) => /expires in/.test(line)), []);
  },
);
