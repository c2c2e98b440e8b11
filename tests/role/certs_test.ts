import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { join } from "@std/path";
import {
  certificatePaths,
  certsMain,
  defaultCertificates,
  loadKeyPair,
  makeCertificates,
  readDefaultAuthority,
  stateFolder,
} from "../../src/role/certs.ts";
import { StartError, UsageError } from "../../src/errors.ts";
import { refuseKeyLogging } from "../../src/role/key_logging.ts";

const DAY_MS = 86_400_000;

async function withFolder(run: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function withEnvironment(values: Record<string, string | undefined>, run: () => void): void {
  const before = Object.keys(values).map((name) => [name, Deno.env.get(name)] as const);
  function set(name: string, value: string | undefined): void {
    if (value === undefined) Deno.env.delete(name);
    else Deno.env.set(name, value);
  }
  try {
    for (const [name, value] of Object.entries(values)) set(name, value);
    run();
  } finally {
    for (const [name, value] of before) set(name, value);
  }
}

function readCertificate(path: string): X509Certificate {
  return new X509Certificate(Deno.readTextFileSync(path));
}

function modeOf(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o777;
}

Deno.test("makeCertificates() makes an authority and a server certificate that it signs", () =>
  withFolder(async (parent) => {
    const folder = join(parent, "deep", "certs");
    const nowMs = Date.now();
    const made = await makeCertificates(folder, ["cache.example", "192.0.2.7", "2001:db8::1"], { nowMs });
    const authority = readCertificate(made.paths.authority);
    const server = readCertificate(made.paths.cert);
    assert(made.isAuthorityNew);
    assert(authority.ca && !server.ca);
    assert(server.verify(authority.publicKey));
    assert(authority.verify(authority.publicKey));
    assertMatch(authority.subject, /^CN=inmem local CA [0-9a-f]{8}$/);
    assertEquals(server.issuer, authority.subject);
    assertEquals(
      server.subjectAltName?.split(", ").sort(),
      ["DNS:cache.example", "DNS:localhost"]
        .concat("IP Address:127.0.0.1", "IP Address:192.0.2.7", "IP Address:2001:db8::1", "IP Address:::1"),
    );
    const days = (made.validUntilMs - nowMs) / DAY_MS;
    assert(days > 700 && days <= 825, `valid for ${days} days`);
    assert(Date.parse(authority.validTo) - nowMs > 3_600 * DAY_MS);
    assertEquals(modeOf(folder), 0o700);
    assertEquals(modeOf(made.paths.authorityKey), 0o600);
    assertEquals(modeOf(made.paths.key), 0o600);
    assertEquals(
      [...Deno.readDirSync(folder)].map((entry) => entry.name).sort(),
      [".lock", "ca.key", "ca.pem", "server.key", "server.pem"],
    );
  }));

Deno.test("makeCertificates() keeps the authority it finds", () =>
  withFolder(async (folder) => {
    const paths = certificatePaths(folder);
    await makeCertificates(folder, []);
    const authority = Deno.readTextFileSync(paths.authority);
    const server = Deno.readTextFileSync(paths.cert);
    const again = await makeCertificates(folder, ["other.example"]);
    assert(!again.isAuthorityNew);
    assertEquals(Deno.readTextFileSync(paths.authority), authority);
    assertNotEquals(Deno.readTextFileSync(paths.cert), server);
    const forced = await makeCertificates(folder, [], { replaceAuthority: true });
    assert(forced.isAuthorityNew);
    assertNotEquals(Deno.readTextFileSync(paths.authority), authority);
  }));

Deno.test("makeCertificates() refuses an authority without its key, and changes nothing", () =>
  withFolder(async (folder) => {
    const { paths } = await makeCertificates(folder, []);
    const before = [Deno.readTextFileSync(paths.authority), Deno.readTextFileSync(paths.cert)];
    Deno.removeSync(paths.authorityKey);
    await assertRejects(() => makeCertificates(folder, []), StartError, "ca.key");
    const other = join(folder, "other");
    const { paths: otherPaths } = await makeCertificates(other, []);
    Deno.copyFileSync(otherPaths.authorityKey, paths.authorityKey);
    await assertRejects(() => makeCertificates(folder, []), StartError, "is not its key");
    assertEquals([Deno.readTextFileSync(paths.authority), Deno.readTextFileSync(paths.cert)], before);
  }));

Deno.test("makeCertificates() refuses an expired authority", () =>
  withFolder(async (folder) => {
    await makeCertificates(folder, [], { nowMs: Date.now() - 4_000 * DAY_MS });
    await assertRejects(() => makeCertificates(folder, []), StartError, "expired");
  }));

Deno.test("makeCertificates() refuses what is no host, and a folder it cannot write", () =>
  withFolder(async (folder) => {
    await assertRejects(() => makeCertificates(folder, ["a b"]), UsageError, '"a b"');
    await assertRejects(() => makeCertificates(folder, ["1.2.3.400"]), UsageError);
    assertEquals([...Deno.readDirSync(folder)], []);
    Deno.writeTextFileSync(join(folder, "file"), "");
    await assertRejects(() => makeCertificates(join(folder, "file", "x"), []), StartError, "Cannot write");
  }));

Deno.test("defaultCertificates() makes one pair, whoever asks at the same time", () =>
  withFolder(async (parent) => {
    const folder = join(parent, "inmem");
    const asked = await Promise.all(Array.from({ length: 5 }, () => defaultCertificates(folder)));
    const processes = await Promise.all(Array.from({ length: 3 }, async () => {
      const script =
        `import { defaultCertificates } from ${JSON.stringify(import.meta.resolve("../../src/role/certs.ts"))};` +
        `console.log((await defaultCertificates(${JSON.stringify(join(parent, "shared"))})).cert);`;
      const output = await new Deno.Command(Deno.execPath(), {
        args: ["eval", "--config", new URL("../../deno.json", import.meta.url).pathname, script],
        env: { DENO_TLS_CA_STORE: "system,mozilla" },
      }).output();
      assert(output.success, new TextDecoder().decode(output.stderr));
      return new TextDecoder().decode(output.stdout);
    }));
    assertEquals(new Set(asked.map((pair) => pair.cert + pair.key)).size, 1);
    assertEquals(new Set(processes).size, 1);
    assertEquals(asked[0]?.paths.authority, join(folder, "ca.pem"));
    assertEquals(readDefaultAuthority(folder), Deno.readTextFileSync(join(folder, "ca.pem")));
    assertEquals(readDefaultAuthority(join(parent, "none")), undefined);
  }));

Deno.test("defaultCertificates() renews what expires soon, for the same hosts and by the same authority", () =>
  withFolder(async (folder) => {
    const nowMs = Date.now();
    const { paths } = await makeCertificates(folder, ["cache.example", "192.0.2.7"], { nowMs });
    const authority = Deno.readTextFileSync(paths.authority);
    const first = await defaultCertificates(folder, nowMs + 690 * DAY_MS);
    assertEquals(first.cert, Deno.readTextFileSync(paths.cert));
    const renewed = await defaultCertificates(folder, nowMs + 710 * DAY_MS);
    assertNotEquals(renewed.cert, first.cert);
    assertMatch(new X509Certificate(renewed.cert).subjectAltName ?? "", /DNS:cache\.example.*IP Address:192\.0\.2\.7/);
    assertEquals(Deno.readTextFileSync(paths.authority), authority);
  }));

Deno.test("defaultCertificates() makes a certificate anew whose key was lost or is another one", () =>
  withFolder(async (folder) => {
    const { paths } = await makeCertificates(folder, []);
    const { paths: other } = await makeCertificates(join(folder, "other"), []);
    Deno.copyFileSync(other.key, paths.key);
    const pair = await defaultCertificates(folder);
    assertEquals(loadKeyPair(paths.cert, paths.key).cert, pair.cert);
    Deno.removeSync(paths.key);
    assertNotEquals((await defaultCertificates(folder)).cert, pair.cert);
    loadKeyPair(paths.cert, paths.key);
  }));

Deno.test("loadKeyPair() reads a pair, and warns when it is not valid yet", () =>
  withFolder(async (folder) => {
    const nowMs = Date.now();
    const { cert, key } = (await makeCertificates(folder, [], { nowMs })).paths;
    const pair = loadKeyPair(cert, key, nowMs);
    const { expiresMs, ...rest } = pair;
    assertEquals(rest, { cert: Deno.readTextFileSync(cert), key: Deno.readTextFileSync(key), warnings: [] });
    assertEquals(expiresMs, Date.parse(readCertificate(cert).validTo));
    assertMatch(loadKeyPair(cert, key, nowMs - DAY_MS).warnings.join(), /not valid before/);
  }));

Deno.test("loadKeyPair() refuses a key that others can read, with the remedy", () =>
  withFolder(async (folder) => {
    const { cert, key } = (await makeCertificates(folder, [])).paths;
    for (const mode of [0o640, 0o604, 0o620]) {
      Deno.chmodSync(key, mode);
      const error = assertThrows(() => loadKeyPair(cert, key), StartError);
      assertMatch(error.message, new RegExp(`"${key}": its mode is 0${mode.toString(8)}.*chmod 600`));
    }
    Deno.chmodSync(key, 0o400);
    loadKeyPair(cert, key);
  }));

Deno.test("loadKeyPair() refuses what is missing, no PEM, or another's key", () =>
  withFolder(async (folder) => {
    const { cert, key } = (await makeCertificates(folder, [])).paths;
    const { key: otherKey } = (await makeCertificates(join(folder, "other"), [])).paths;
    const garbage = join(folder, "garbage");
    Deno.writeTextFileSync(garbage, "garbage", { mode: 0o600 });
    assertThrows(() => loadKeyPair(join(folder, "none"), key), StartError, "no such file");
    assertThrows(() => loadKeyPair(cert, join(folder, "none")), StartError, "no such file");
    assertThrows(() => loadKeyPair(cert, folder), StartError, "not a file");
    assertThrows(() => loadKeyPair(garbage, key), StartError, "Cannot parse the certificate");
    assertThrows(() => loadKeyPair(cert, garbage), StartError, "Cannot parse the key");
    assertThrows(() => loadKeyPair(cert, otherKey), StartError, "is not the key of");
  }));

Deno.test("stateFolder() follows the XDG base directory specification", () => {
  withEnvironment(
    { XDG_STATE_HOME: "/state", HOME: "/home/someone" },
    () => assertEquals(stateFolder(), "/state/inmem"),
  );
  for (const ignored of ["relative", "", undefined]) {
    withEnvironment({ XDG_STATE_HOME: ignored, HOME: "/home/someone" }, () => {
      assertEquals(stateFolder(), "/home/someone/.local/state/inmem");
    });
  }
  withEnvironment({ XDG_STATE_HOME: undefined, HOME: undefined }, () => assertThrows(stateFolder, StartError, "HOME"));
});

Deno.test("refuseKeyLogging() refuses while SSLKEYLOGFILE is set", () => {
  withEnvironment({ SSLKEYLOGFILE: undefined }, refuseKeyLogging);
  withEnvironment({ SSLKEYLOGFILE: "/secrets.log" }, () => assertThrows(refuseKeyLogging, StartError, "SSLKEYLOGFILE"));
});

Deno.test("certsMain() makes certificates and tells how to use them", () =>
  withFolder(async (parent) => {
    const folder = join(parent, "made");
    const written: string[] = [];
    await certsMain([folder, "--host", "a.example", "-host=192.0.2.1"], (text) => written.push(text));
    assertMatch(written.join(""), /Made a local authority and a server certificate/);
    assertMatch(written.join(""), /for localhost, 127\.0\.0\.1, ::1, a\.example, 192\.0\.2\.1; until 2/);
    await certsMain([folder], (text) => written.push(text));
    assertMatch(written.join(""), /Made a server certificate/);
    await certsMain(["--help"], (text) => written.push(text));
    assertMatch(written.join(""), /Usage: inmem certs/);
    await assertRejects(() => certsMain([folder, "b"]), UsageError, '"b"');
    await assertRejects(() => certsMain(["--hots", "b"]), UsageError, "did you mean --host?");
  }));
