/**
 * Tests that the harness of the browser tests sees the faults that it looks for, in a real Chromium.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { browserTest } from "./support/browser.ts";
import { findProgram } from "./support/programs.ts";

const HEADERS = { "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:" };
const HEAD = `<!doctype html><html lang="en"><title>t</title><link rel="icon" href="data:,">`;

/** The pages by their paths: one without a fault, one with each fault, and one that is too wide. */
const PAGES: Readonly<Record<string, string>> = {
  "/good": `${HEAD}<h1>Good</h1>`,
  "/bad": `${HEAD}<script>document.title = "ran"</script><script src="/throws.js"></script>
    <img src="https://localhost.invalid/x.png">`,
  "/wide": `${HEAD}<link rel="stylesheet" href="/wide.css"><p>wide</p>`,
};
const FILES: Readonly<Record<string, [type: string, text: string]>> = {
  "/throws.js": ["text/javascript", `throw new Error("it breaks");`],
  "/wide.css": ["text/css", "p { width: 2000px; }"],
};

function reply(request: Request): Response {
  if (request.headers.get("Authorization") !== `Basic ${btoa("default:secret")}`) {
    return new Response("", { status: 401, headers: { "WWW-Authenticate": `Basic realm="t"` } });
  }
  const { pathname } = new URL(request.url);
  const [type, text] = FILES[pathname] ?? ["text/html", PAGES[pathname]];
  return new Response(text, { status: text === undefined ? 404 : 200, headers: { ...HEADERS, "Content-Type": type } });
}

browserTest("visit() opens pages over TLS with a password, and each kind of fault is found", async (context) => {
  const { launcher, browser } = context;
  const cert = await Deno.readTextFile(launcher.certificates.cert);
  const key = await Deno.readTextFile(launcher.certificates.key);
  const serve = { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} };
  await using server = Deno.serve(serve, reply);
  const origin = `https://127.0.0.1:${server.addr.port}`;

  const good = await browser.visit(`${origin}/good`, { width: 380, dark: true, password: "secret" });
  assertEquals(await good.page.getByRole("heading").innerText(), "Good");
  assert(await good.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches && innerWidth === 380"));
  assert((await good.screenshot("harness")).length > 1_000, "a picture");
  assertEquals([good.faults, await good.overflows()], [[], false]);

  const bad = await browser.visit(`${origin}/bad`, { password: "secret" });
  const faults = (await browser.faults()).join("\n");
  for (const text of ["Content Security Policy", "it breaks", "localhost.invalid"]) assertStringIncludes(faults, text);
  bad.expect(/breaks/);
  assertEquals((await browser.faults()).filter((fault) => fault.includes("breaks")), []);
  assert((await browser.faults()).length > 1, "the others are left");
  bad.expect(/./);
  assertEquals(await browser.faults(), []);

  const wide = await browser.visit(`${origin}/wide`, { password: "secret" });
  assert(await wide.overflows());

  const stranger = await browser.blank(origin);
  stranger.expect(/401/);
  const response = await stranger.page.goto(`${origin}/good`).catch((error) => error);
  assertStringIncludes(
    String(response instanceof Error ? response : response?.status()),
    "ERR_INVALID_AUTH_CREDENTIALS",
  );
  await assertRejects(() => stranger.page.getByRole("heading", { name: "Good" }).waitFor({ timeout: 200 }));
});

Deno.test("findProgram() finds the first program that is there, and no folder", () => {
  assert(findProgram("a-program-that-nobody-has", "sh")?.endsWith("/sh"));
  assertEquals(findProgram("a-program-that-nobody-has", ".", ""), undefined);
});
