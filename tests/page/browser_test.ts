/**
 * Looks at the live page of a proxy before two servers in a real Chromium, as an operator would: over TLS, with a
 * password, wide and narrow, light and dark, by keyboard, and through a screen reader's view.
 *
 * The harness fails on what a page must not do: an error, a dialog, a violation of its policy, a foreign request.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Client } from "../../src/client/client.ts";
import { browserTest, type Page, type Visit } from "../support/browser.ts";

const PASSWORD = "correct horse battery staple";
const SCRIPT = "<script>alert(1)</script>";
const IMAGE = "<img src=x onerror=alert(2)>";
const BINARY = Uint8Array.of(0xff, 0x00, 0x41);
const REVERSED = "abc\u202edef";

const ALL_UP = "No problems. 2 of 2 servers are up.";

/** The headings of all sections. */
const SECTIONS = ["Servers", "The last hour", "Hot keys", "Big keys", "Slow log", "Clients", "Key browser"];

async function fill(client: Client): Promise<void> {
  await client.set(SCRIPT, IMAGE);
  await client.set(BINARY, Uint8Array.of(0, 1, 0xfe));
  await client.set(REVERSED, "v");
  await client.set("settings", '{"a":[1,2]}');
  await client.rpush("queue", ...Array.from({ length: 150 }, (_, i) => `job ${i}`));
  await client.hset("cart", [["<b>field</b>", IMAGE]]);
  await client.client("setname", "worker-7");
}

/** Returns what the page shows of the key that was chosen. */
async function openKey(page: Page, pattern: string, name: string): Promise<string> {
  await page.getByLabel("Pattern").fill(pattern);
  await page.getByRole("button", { name: "Find keys" }).click();
  await page.getByRole("list", { name: "Keys" }).getByRole("button", { name, exact: true }).click();
  const article = page.getByRole("article", { name: "Chosen key" });
  await article.getByRole("heading", { name, exact: true }).waitFor();
  return await article.innerText();
}

/** Presses Tab until something with this accessible name has the focus. Each stop has a visible outline. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press("Tab");
    const [text, outline, tag] = await page.evaluate<[string, string, string]>(`(() => {
      const element = document.activeElement;
      const shown = element.matches("input[type=radio]") ? element.parentElement : element;
      const style = getComputedStyle(shown);
      return [element.getAttribute("aria-label") ?? element.innerText ?? "", style.outlineStyle + style.outlineWidth, element.tagName];
    })()`);
    if (tag === "BODY") continue;
    assert(/^(solid|auto)[1-9]/.test(outline), `"${text}" has a visible focus, not ${outline}`);
    if (name.test(text)) return;
  }
  throw new Error(`No stop of the Tab key is ${name}`);
}

/** Scrolls to the clients, which are asked for when they are on the screen. */
async function showClients(page: Page): Promise<void> {
  await page.locator("#clients").scrollIntoViewIfNeeded();
  await page.getByRole("row", { name: /worker-7/ }).waitFor();
}

/** Returns the lines of an accessibility tree for parts that need a name and have none. */
function nameless(tree: string): string[] {
  const roles = "button|link|textbox|searchbox|combobox|spinbutton|radio|img|region|table|article|navigation|heading";
  return tree.split("\n").filter((line) => new RegExp(`^\\s*- (${roles})(?! ")`).test(line));
}

async function looksRight(visit: Visit, name: string): Promise<void> {
  const { page } = visit;
  for (const section of SECTIONS) {
    assert(await page.getByRole("heading", { name: section, level: 2, exact: true }).isVisible(), section);
  }
  assertEquals(nameless(await page.locator("body").ariaSnapshot()), [], "parts without an accessible name");
  assertEquals(await visit.overflows(), false, `${name} can be scrolled sideways`);
  await page.evaluate("scrollTo(0, 0)");
  await visit.screenshot(name);
}

browserTest("the live page of a proxy", async ({ launcher, browser, test }) => {
  const passwordFile = launcher.path("password");
  await Deno.writeTextFile(passwordFile, PASSWORD, { mode: 0o600 });
  const secret = ["--password-file", passwordFile];
  const servers = await Promise.all([
    launcher.server([...secret, "--metrics", "127.0.0.1:0", "--metrics-edit"]),
    launcher.server(secret),
  ]);
  const file = await launcher.serversFile(servers.map(({ address }) => address));
  const proxy = await launcher.proxy(file, [...secret, "--metrics", "127.0.0.1:0"]);
  const client = await launcher.connect(proxy, { password: PASSWORD });
  await fill(client);
  const url = proxy.process.page!;
  const visit = await browser.visit(url, { password: PASSWORD });
  const { page } = visit;

  await test.step("shows the state of the servers, and all sections", async () => {
    await page.getByText(ALL_UP).waitFor();
    for (const { address } of servers) await page.getByRole("row", { name: new RegExp(`^${address} up`) }).waitFor();
    await page.getByRole("img", { name: /^Clients: clients now 1,/ }).waitFor();
    assertStringIncludes(await page.title(), `inmem proxy ${proxy.address}`);
    await showClients(page);
    await looksRight(visit, "page-wide");
  });

  await test.step("shows keys and values of any bytes as text", async () => {
    assertStringIncludes(await openKey(page, "<script*", SCRIPT), IMAGE);
    assertStringIncludes(await openKey(page, "\\xff*", "\\xff\\x00A"), "\\x00\\x01\\xfe");
    assertStringIncludes(await openKey(page, "abc*", "abc\\u{202e}def"), "string");
    assertStringIncludes(await openKey(page, "cart", "cart"), `<b>field</b>\n${IMAGE}`.replace("\n", "\t"));
    assertStringIncludes(await openKey(page, "queue", "queue"), "job 99");
    await page.getByRole("button", { name: "Show more" }).click();
    await page.getByRole("cell", { name: "job 149", exact: true }).waitFor();
    assertEquals(await page.locator("article script, article img, article b").count(), 0);
    // Nothing may be changed unless --metrics-edit is given.
    assertEquals(await page.getByRole("button", { name: "Delete the key" }).count(), 0);
  });

  await test.step("can be used by keyboard alone", async () => {
    await page.goto(url);
    await page.getByText(ALL_UP).waitFor();
    await page.keyboard.press("Tab");
    assertEquals(await page.evaluate("document.activeElement.textContent"), "Skip to the problems");
    await tabTo(page, /^Key browser$/);
    await tabTo(page, /^Theme: auto$/);
    await page.keyboard.press("Enter");
    assertEquals(await page.evaluate("document.documentElement.dataset.theme"), "light");
    assertEquals(await page.evaluate("document.activeElement.textContent"), "Theme: light");
    await tabTo(page, /^Requests a second:/);
    await page.keyboard.press("ArrowLeft");
    await page.getByText(/^at \d/).waitFor();
    await tabTo(page, /^Find keys$/);
    await page.keyboard.press("Enter");
    await tabTo(page, /^queue$/);
    await page.keyboard.press("Enter");
    await page.getByRole("cell", { name: "job 0", exact: true }).waitFor();
  });

  await test.step("changes keys where that is allowed, after a second press", async () => {
    const editor = await browser.visit(servers[0]!.process.page!, { password: PASSWORD });
    const own = await launcher.connect(servers[0]!, { password: PASSWORD });
    await own.set("note", "old");
    await openKey(editor.page, "note", "note");
    await editor.page.getByLabel("New value").fill("new 🦕");
    await editor.page.getByRole("button", { name: "Store the value" }).click();
    await editor.page.locator("pre", { hasText: "new 🦕" }).waitFor();
    assertEquals(await own.getText("note"), "new 🦕");
    await editor.page.getByLabel("Seconds to live").fill("500");
    await editor.page.getByRole("button", { name: "Set", exact: true }).click();
    await editor.page.getByText("in 8 min").waitFor();
    await editor.page.getByRole("button", { name: "Delete the key" }).click();
    assertEquals(await own.exists("note"), 1);
    await editor.page.getByRole("button", { name: "Delete the key: press again" }).click();
    await editor.page.getByText("There is no such key").waitFor();
    assertEquals(await own.exists("note"), 0);
    await editor.context.close();
  });

  await test.step("fits a narrow and dark screen", async () => {
    const narrow = await browser.visit(url, { password: PASSWORD, width: 380, height: 800, dark: true });
    await narrow.page.getByText(ALL_UP).waitFor();
    await showClients(narrow.page);
    await openKey(narrow.page, "queue", "queue");
    await looksRight(narrow, "page-narrow-dark");
    const [ground, text] = await narrow.page.evaluate<[string, string]>(
      "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]",
    );
    assert(brightness(ground) < 40 && brightness(text) > 200, `${text} on ${ground}`);
    await narrow.context.close();
  });

  await test.step("shows nothing without the password", async () => {
    const stranger = await browser.blank(new URL(url).origin);
    stranger.expect(/401/);
    for (
      const path of ["", "assets/main.js", "events", "api/history", "api/clients", "api/keys?match=Kg==", "metrics"]
    ) {
      const outcome = await stranger.page.goto(url + path).catch((error: Error) => error);
      const seen = outcome instanceof Error ? outcome.message : `${outcome?.status()} ${await outcome?.text()}`;
      assert(/INVALID_AUTH_CREDENTIALS|^401 expected a password/.test(seen), `${path}: ${seen}`);
    }
    await stranger.context.close();
  });

  await test.step("says within ten seconds that a server is down, and later that the page has lost its proxy", async () => {
    // Commands on all servers fail from now on.
    visit.expect(/409/);
    await servers[1]!.process.kill();
    launcher.forgive(servers[1]!.process);
    await page.getByRole("row", { name: new RegExp(`^${servers[1]!.address} down`) }).waitFor({ timeout: 10_000 });
    // The browser reports that it cannot connect again.
    visit.expect(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|503/);
    await launcher.stop(proxy);
    await page.getByText(/^Nothing has come from this proxy/).waitFor();
  });
});

/** Returns the mean of red, green and blue in `rgb(…)`. */
function brightness(colour: string): number {
  const parts = [...colour.matchAll(/\d+/g)].map(Number);
  return parts.slice(0, 3).reduce((sum, part) => sum + part, 0) / 3;
}
