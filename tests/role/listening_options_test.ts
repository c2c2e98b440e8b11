/** Tests the warnings for the operator at start. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { resolveListening } from "../../src/role/listening_options.ts";

Deno.test("resolveListening() warns of --no-auth beyond loopback, and of nothing else", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const pair = await makeServerCertificate(await makeAuthority(Date.now()), ["localhost"], Date.now());
    await Deno.writeTextFile(`${folder}/cert`, pair.cert);
    await Deno.writeTextFile(`${folder}/key`, pair.key, { mode: 0o600 });
    await Deno.writeTextFile(`${folder}/password`, "secret", { mode: 0o600 });
    const warningsOf = async (hostname: string, noAuth: boolean) => {
      const { sources: { warnings } } = await resolveListening({
        addr: { hostname, port: 9443 },
        cert: `${folder}/cert`,
        key: `${folder}/key`,
        "password-file": noAuth ? undefined : `${folder}/password`,
        "no-auth": noAuth,
        plaintext: false,
      });
      return warnings;
    };
    for (const hostname of ["0.0.0.0", "::", "192.0.2.1", "db.example"]) {
      const warnings = await warningsOf(hostname, true);
      assertEquals(warnings.length, 1, hostname);
      assertStringIncludes(warnings[0]!, "--no-auth was given for an address beyond loopback");
      assertEquals(await warningsOf(hostname, false), []);
    }
    for (const hostname of ["127.0.0.1", "::1", "localhost"]) assertEquals(await warningsOf(hostname, true), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
