/**
 * A real Chromium for the tests of the live page, driven by Playwright.
 *
 * ```text
 * test ── Playwright ──pipe── Chromium ──TLS── inmem server --metrics
 *            └─ Visit: a page, the faults that it had, screenshots
 * ```
 *
 * A visit collects everything that a page must not do: errors on the console, uncaught exceptions, violations of its
 * content security policy, and requests to any other origin. The test fails when a fault is left at its end, so that
 * each test of the page also tests this.
 *
 * Chromium comes from the system. Without it the tests are left out. The package of Playwright brings none.
 *
 * ```ts ignore
 * browserTest("the page names its servers", async ({ launcher, browser }) => {
 *   const visit = await browser.visit("https://127.0.0.1:9543/", { width: 380, dark: true, password: "secret" });
 *   await visit.page.getByRole("row", { name: "127.0.0.1:9443" }).waitFor();
 *   await visit.screenshot("narrow-dark");
 * });
 * ```
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type Browser, type BrowserContext, chromium, type Page } from "npm:playwright-core@1.65.1";
import { type Launcher, systemTest } from "./launcher.ts";
import { findProgram } from "./programs.ts";

export type { Locator, Page } from "npm:playwright-core@1.65.1";

/** The path of Chromium, or `undefined` on a machine without it. */
export const CHROMIUM: string | undefined = findProgram("chromium", "chromium-browser", "google-chrome");

/** The folder in which screenshots are kept; without it they are taken and dropped. */
const SCREENSHOTS = Deno.env.get("SCREENSHOTS");

/** Switches that keep Chromium on this machine, and let root run it. */
const SWITCHES: readonly string[] = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The time after which a wait for an element fails, in ms, also on a busy machine. */
const WAIT_MAX_MS = 20_000;

/** How a page is looked at. */
export interface VisitOptions {
  /** The width of the window in CSS pixels; 1280 by default. */
  readonly width?: number;
  /** The height of the window in CSS pixels; 900 by default. */
  readonly height?: number;
  /** Whether the reader prefers dark colours; no by default. */
  readonly dark?: boolean;
  /** Whether the reader prefers less motion; no by default. */
  readonly reducedMotion?: boolean;
  /** The password that the browser sends when it is asked; none by default. */
  readonly password?: string;
}

/** One page in its own context: no cookie, cache or password of another visit. */
export class Visit {
  /** What the page has done that it must not do, one line each. */
  readonly faults: string[] = [];
  readonly #expected: RegExp[] = [];

  constructor(readonly page: Page, readonly context: BrowserContext, origin: string) {
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.faults.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.faults.push(`exception: ${error.message}`));
    // A dialog would hold the page up, and no page of ours opens one.
    page.on("dialog", async (dialog) => {
      this.faults.push(`dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
    context.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${origin}/`) && !/^(?:data|blob|about):/.test(url)) this.faults.push(`foreign: ${url}`);
    });
  }

  /** Accepts faults that fit, such as the line on the console about a request that is to be refused. */
  expect(fault: RegExp): void {
    this.#expected.push(fault);
  }

  /** The faults that no {@linkcode expect} accepts. */
  get unexpected(): string[] {
    return this.faults.filter((fault) => !this.#expected.some((each) => each.test(fault)));
  }

  /** Returns whether the page can be scrolled sideways, which it should not at any width. */
  overflows(): Promise<boolean> {
    return this.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth");
  }

  /** Takes a picture of the whole page, kept as `NAME.png` in the folder that the variable SCREENSHOTS names. */
  async screenshot(name: string): Promise<Uint8Array> {
    const path = SCREENSHOTS === undefined ? {} : { path: join(SCREENSHOTS, `${name}.png`) };
    return await this.page.screenshot({ fullPage: true, animations: "disabled", ...path });
  }
}

/** A running Chromium. Disposing of it ends the process. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #visits: Visit[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Starts Chromium with a new profile. */
  static async start(): Promise<TestBrowser> {
    const options = { executablePath: CHROMIUM!, args: [...SWITCHES] };
    // Signals end the tests, and with them the pipe to Chromium, which ends it.
    const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
    return new TestBrowser(await chromium.launch({ ...options, ...signals }));
  }

  /** Opens a page and waits until it is loaded, with its scripts and pictures. */
  async visit(url: string, options: VisitOptions = {}): Promise<Visit> {
    const visit = await this.blank(new URL(url).origin, options);
    await visit.page.goto(url, { waitUntil: "load" });
    return visit;
  }

  /** Opens an empty page, whose requests may only go to one origin. */
  async blank(origin: string, options: VisitOptions = {}): Promise<Visit> {
    const { width = 1280, height = 900, dark = false, reducedMotion = false, password } = options;
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
      reducedMotion: reducedMotion ? "reduce" : "no-preference",
      // The authority of the tests is in no store of the system.
      ignoreHTTPSErrors: true,
      ...password === undefined ? {} : { httpCredentials: { username: "default", password } },
    });
    context.setDefaultTimeout(WAIT_MAX_MS);
    const visit = new Visit(await context.newPage(), context, origin);
    this.#visits.push(visit);
    return visit;
  }

  /** Returns the faults of all visits that no test has accepted. */
  async faults(): Promise<string[]> {
    // What a page has reported until now comes before the reply to this.
    await Promise.all(this.#visits.filter(({ page }) => !page.isClosed()).map(({ page }) => page.evaluate("0")));
    return this.#visits.flatMap(({ unexpected }) => unexpected);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** What a test with a browser gets. */
export interface BrowserTestContext {
  readonly launcher: Launcher;
  readonly browser: TestBrowser;
  readonly test: Deno.TestContext;
}

/**
 * Defines a test with a launcher and a browser, which are always ended. Starting Chromium takes about a second of
 * processor time, so a file best has few such tests, with steps. The test is left out where there is no Chromium.
 */
export function browserTest(name: string, body: (context: BrowserTestContext) => Promise<void>): void {
  const isMissing = CHROMIUM === undefined;
  const fullName = isMissing ? `${name} (left out: it needs chromium)` : name;
  // Playwright keeps handles open until the process ends.
  systemTest(fullName, { ignore: isMissing, sanitizeOps: false, sanitizeResources: false }, async (launcher, test) => {
    await using browser = await TestBrowser.start();
    await body({ launcher, browser, test });
    assertEquals(await browser.faults(), [], "the pages had faults");
  });
}
