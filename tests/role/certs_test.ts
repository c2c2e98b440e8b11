import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { X509Certificate } from "node:crypto";
import { StartError, UsageError } from "../../src/errors.ts";
import {
  certificatePaths,
  certsMain,
  defaultCertificates,
  loadKeyPair,
  makeCertificates,
  readDefaultAuthority,
  stateFolder,
} from "../../src/role/certs.ts";
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

Deno.test("makeCertificates() keeps an existing authority", () =>
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

Deno.test("makeCertificates() names each host as clients look for it", () =>
  withFolder(async (folder) => {
    const hosts = ["Cache.Example.", "cache.example", "*.Db.Example.", "0:0::7", "::ffff:192.0.2.7", "192.0.2.7"];
    const made = await makeCertificates(folder, hosts);
    const expected = ["cache.example", "*.db.example", "::7", "192.0.2.7"];
    assertEquals(made.hosts, ["localhost", "127.0.0.1", "::1", ...expected]);
    const server = readCertificate(made.paths.cert);
    const names = server.subjectAltName!.split(", ").map((name) => name.replace(/^.*?:/, ""));
    assertEquals(names.toSorted(), made.hosts.toSorted());
    await assertRejects(() => makeCertificates(folder, ["fe80::1%eth0"]), UsageError, "an address without a zone");
  }));

Deno.test("makeCertificates() refuses an invalid host, and a folder that it cannot write", () =>
  withFolder(async (folder) => {
    await assertRejects(() => makeCertificates(folder, ["a b"]), UsageError, '"a b"');
    await assertRejects(() => makeCertificates(folder, ["1.2.3.400"]), UsageError);
    assertEquals([...Deno.readDirSync(folder)], []);
    Deno.writeTextFileSync(join(folder, "file"), "");
    await assertRejects(() => makeCertificates(join(folder, "file", "x"), []), StartError, "Cannot write");
  }));

Deno.test("defaultCertificates() makes one pair for all concurrent callers", () =>
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

Deno.test("defaultCertificates() renews a certificate that expires soon, for the same hosts and by the same authority", () =>
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

Deno.test("defaultCertificates() makes a new certificate when the key is lost or is another one", () =>
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

Deno.test("loadKeyPair() refuses missing files, other formats, and the key of another certificate", () =>
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

Deno.test("certsMain() makes certificates and explains how to use them", () =>
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

/** Returns the content of the folder of certificates, by name. */
function contentsOf(folder: string): Record<string, string> {
  const names = ["ca.pem", "ca.key", "server.pem", "server.key"].filter((name) => exists(join(folder, name)));
  return Object.fromEntries(names.map((name) => [name, Deno.readTextFileSync(join(folder, name))]));
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

Deno.test("the key of an authority is only replaced on request, even if files are missing or broken", () =>
  withFolder(async (parent) => {
    const made = join(parent, "made");
    await makeCertificates(made, []);
    const { "ca.pem": authority, "ca.key": authorityKey, "server.pem": cert, "server.key": key } = contentsOf(made);
    const { paths: other } = await makeCertificates(join(parent, "other"), []);
    const damage: Readonly<Record<string, (folder: string) => void>> = {
      "no ca.pem": (folder) => Deno.removeSync(join(folder, "ca.pem")),
      "no ca.key": (folder) => Deno.removeSync(join(folder, "ca.key")),
      "an empty ca.pem": (folder) => Deno.writeTextFileSync(join(folder, "ca.pem"), ""),
      "an empty ca.key": (folder) => Deno.writeTextFileSync(join(folder, "ca.key"), ""),
      "a ca.pem cut off": (folder) => Deno.writeTextFileSync(join(folder, "ca.pem"), authority!.slice(0, 300)),
      "a ca.key cut off": (folder) => Deno.writeTextFileSync(join(folder, "ca.key"), authorityKey!.slice(0, 100)),
      "another's ca.key": (folder) => Deno.copyFileSync(other.authorityKey, join(folder, "ca.key")),
      "another's ca.pem": (folder) => Deno.copyFileSync(other.authority, join(folder, "ca.pem")),
      "ca.key as a link that leads nowhere": (folder) => {
        Deno.removeSync(join(folder, "ca.key"));
        Deno.symlinkSync("/nowhere/ca.key", join(folder, "ca.key"));
      },
      "ca.pem as a link that leads nowhere": (folder) => {
        Deno.removeSync(join(folder, "ca.pem"));
        Deno.symlinkSync("/nowhere/ca.pem", join(folder, "ca.pem"));
      },
      "ca.key as a link elsewhere, and no ca.pem": (folder) => {
        Deno.removeSync(join(folder, "ca.key"));
        Deno.removeSync(join(folder, "ca.pem"));
        Deno.symlinkSync(join(made, "ca.key"), join(folder, "ca.key"));
      },
    };
    for (const [name, harm] of Object.entries(damage)) {
      for (const lacksServer of [false, true]) {
        const folder = Deno.makeTempDirSync({ dir: parent });
        for (const [file, text] of Object.entries({ "ca.pem": authority!, "ca.key": authorityKey! })) {
          Deno.writeTextFileSync(join(folder, file), text, { mode: 0o600 });
        }
        if (!lacksServer) {
          Deno.writeTextFileSync(join(folder, "server.pem"), cert!);
          Deno.writeTextFileSync(join(folder, "server.key"), key!, { mode: 0o600 });
        }
        harm(folder);
        const before = contentsOf(folder);
        await assertRejects(() => makeCertificates(folder, []), StartError, "ca.", name);
        assertEquals(contentsOf(folder), before, name);
        // A server that starts may use an existing pair, but makes no certificate.
        const started = await defaultCertificates(folder).catch((error) => error);
        assert(started instanceof StartError || started.cert === cert, name);
        assertEquals(contentsOf(folder), before, name);
      }
    }
    assertEquals(Deno.readTextFileSync(join(made, "ca.key")), authorityKey);
  }));

Deno.test("makeCertificates() gives advice for an authority's key without its certificate", () =>
  withFolder(async (folder) => {
    const { paths } = await makeCertificates(folder, []);
    const key = Deno.readTextFileSync(paths.authorityKey);
    Deno.removeSync(paths.authority);
    const error = await assertRejects(() => makeCertificates(folder, []), StartError);
    assertMatch(error.message, /"ca\.pem" is missing.*have a copy.*inmem certs ".*" --force$/);
    const forced = await makeCertificates(folder, [], { replaceAuthority: true });
    assert(forced.isAuthorityNew);
    assertNotEquals(Deno.readTextFileSync(paths.authorityKey), key);
  }));

Deno.test("makeCertificates() with a new authority replaces a link to a key, not the link's target", () =>
  withFolder(async (folder) => {
    const { paths } = await makeCertificates(folder, []);
    const key = Deno.readTextFileSync(paths.authorityKey);
    Deno.renameSync(paths.authorityKey, join(folder, "kept.key"));
    Deno.symlinkSync(join(folder, "kept.key"), paths.authorityKey);
    await makeCertificates(folder, []);
    await makeCertificates(folder, [], { replaceAuthority: true });
    assertEquals(Deno.readTextFileSync(join(folder, "kept.key")), key);
    assertNotEquals(Deno.readTextFileSync(paths.authorityKey), key);
  }));

Deno.test("defaultCertificates() uses a pair whose authority is missing, with a warning, and does not renew it", () =>
  withFolder(async (folder) => {
    const nowMs = Date.now();
    const { paths } = await makeCertificates(folder, []);
    Deno.removeSync(paths.authority);
    for (const days of [0, 710, 729]) {
      const pair = await defaultCertificates(folder, nowMs + days * DAY_MS);
      assertMatch(pair.warnings.join(" "), /"ca\.pem"|ca\.pem" is missing/);
      assertEquals(pair.warnings.some((warning) => warning.includes("cannot be renewed")), days > 0);
      assertEquals(pair.authorityExpiresMs, undefined);
    }
    await assertRejects(() => defaultCertificates(folder, nowMs + 731 * DAY_MS), StartError, "inmem certs");
    // Both files of the authority are stored elsewhere, and its pair is used nevertheless.
    Deno.removeSync(paths.authorityKey);
    assertEquals((await defaultCertificates(folder, nowMs)).cert, Deno.readTextFileSync(paths.cert));
  }));

Deno.test("defaultCertificates() makes the missing part of the server's pair with the existing authority", () =>
  withFolder(async (folder) => {
    const { paths } = await makeCertificates(folder, ["cache.example"]);
    const authority = Deno.readTextFileSync(paths.authority);
    for (const missing of [[paths.cert], [paths.key], [paths.cert, paths.key]]) {
      for (const path of missing) Deno.removeSync(path);
      const pair = await defaultCertificates(folder);
      assertEquals(pair.warnings, []);
      assert(new X509Certificate(pair.cert).verify(readCertificate(paths.authority).publicKey));
      assertEquals(Deno.readTextFileSync(paths.authority), authority);
    }
    assertEquals(
      (await defaultCertificates(folder)).authorityExpiresMs,
      Date.parse(readCertificate(paths.authority).validTo),
    );
  }));

Deno.test("defaultCertificates() makes an authority only if there is none", () =>
  withFolder(async (folder) => {
    const { paths } = await makeCertificates(folder, []);
    for (const path of [paths.authority, paths.authorityKey, paths.key]) Deno.removeSync(path);
    // The rest of the pair is useless without its key.
    const pair = await defaultCertificates(folder);
    assertEquals(pair.cert, Deno.readTextFileSync(paths.cert));
    assert(exists(paths.authorityKey));
  }));
