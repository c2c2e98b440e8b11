/**
 * What an operator on call sees: something goes wrong, and within ten seconds a query to a real Prometheus shows it, at
 * the program itself and at the proxy. The alert of cluster/alerts.yml for it is then pending. In the long form, the
 * live page of the proxy shows it too, in a real Chromium.
 */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { ROOT } from "../../cluster/role_process.ts";
import { makeCertificates } from "../../src/role/certs.ts";
import { isLong } from "../support/amount.ts";
import { CHROMIUM, type Page, TestBrowser } from "../support/browser.ts";
import { fillDisk, MOUNTS, testWhere, withDisk } from "../support/disks.ts";
import { type Launcher, metricsOf, type Role } from "../support/launcher.ts";
import { PROMETHEUS, Prometheus, untilScraped } from "../support/prometheus.ts";

/** Within this time an operator has to see a problem, in ms. */
const SEEN_MAX_MS = 10_000;
const MEBIBYTE = 1024 * 1024;
const DAY_MS = 86_400_000;
/** The size of the disk of the last server, on which the big value has to fit. */
const DISK_SIZE_BYTES = 96 * MEBIBYTE;
/** A value of this size is a problem. */
const BIG_VALUE_SIZE_BYTES = 33 * MEBIBYTE;
/** The requests for one key between two looks. */
const HOT_REQUESTS_COUNT = 3_000;
/** The age of a certificate of 730 days that expires in five. */
const OLD_CERTIFICATE_AGE_MS = 725 * DAY_MS;

/** A cluster whose programs are all scraped every second. */
interface Watched {
  readonly launcher: Launcher;
  readonly prometheus: Prometheus;
  readonly proxy: Role;
  readonly servers: readonly Role[];
  /** The folder of the last server's data, on a small disk. */
  readonly disk: string;
  /** The page of the proxy; only in the long form, and on a machine with Chromium. */
  readonly page: Page | undefined;
}

/** Something that goes wrong, and what an operator asks then. */
interface Incident {
  readonly name: string;
  /** Makes it go wrong. What it returns is called while nothing is seen yet, such as more load. */
  happen(watched: Watched): Promise<(() => Promise<unknown>) | void>;
  /** Returns the queries, each of which has to have a sample. */
  queries(watched: Watched): readonly string[];
  /** What a problem on the page of the proxy says. */
  onPage(watched: Watched): RegExp;
  /** The alert that is pending then. */
  readonly alert: string;
}

/** Returns the condition that a sample is from a role. */
function at(role: Role): string {
  return `instance="${metricsOf(role)}"`;
}

const INCIDENTS: readonly Incident[] = [
  {
    name: "a key has a value of 33 MiB",
    happen: async ({ launcher, proxy }) => {
      const client = await launcher.connect(proxy);
      await client.send(["setrange", "big", String(BIG_VALUE_SIZE_BYTES), "x"]);
    },
    queries: ({ proxy }) => [
      `inmem_problem{kind="big_key",subject="big",${at(proxy)}}`,
      `count by (subject) (inmem_problem{kind="big_key",subject="big"}) >= 2`,
    ],
    onPage: () => /^Warning\s*big: .*33 MiB/,
    alert: "InmemBigKey",
  },
  {
    name: "most requests use one key",
    happen: async ({ launcher, proxy }) => {
      const client = await launcher.connect(proxy);
      await client.set("hot", "1");
      return async () => {
        await Promise.all(Array.from({ length: HOT_REQUESTS_COUNT }, () => client.get("hot")));
      };
    },
    queries: ({ proxy }) => [
      `inmem_problem{kind="hot_key",subject="hot",${at(proxy)}}`,
      `count by (subject) (inmem_problem{kind="hot_key",subject="hot"}) >= 2`,
    ],
    onPage: () => /^Warning\s*hot: .* requests/,
    alert: "InmemHotKey",
  },
  {
    name: "the disk of a server is full",
    happen: async ({ launcher, servers, disk }) => {
      const client = await launcher.connect(servers.at(-1)!);
      await fillDisk(disk);
      // A full disk is noticed by the first write, which gets no reply until there is space.
      client.set("x", "v".repeat(100_000)).catch(() => {});
    },
    queries: ({ servers, proxy }) => [
      `inmem_writes_refused{${at(servers.at(-1)!)}} == 1`,
      `inmem_server_writes_refused{${at(proxy)},server="${servers.at(-1)!.address}"} == 1`,
      `inmem_problem{kind="writes_refused",subject="${servers.at(-1)!.address}",${at(proxy)}}`,
    ],
    onPage: ({ servers }) => new RegExp(`^Critical\\s*${servers.at(-1)!.address}: Writes are refused .*No space`),
    alert: "InmemWritesRefused",
  },
  {
    name: "certificates expire in five days",
    happen: async ({ launcher }) => {
      await makeCertificates(launcher.path("certs"), [], { nowMs: Date.now() - OLD_CERTIFICATE_AGE_MS });
    },
    queries: ({ servers, proxy }) => [
      ...[...servers, proxy].map((role) => {
        return `inmem_tls_certificate_expiry_timestamp_seconds{${at(role)}} - time() < 7 * 86400`;
      }),
      ...servers.map(({ address }) => `inmem_problem{kind="certificate_expiry",subject="${address}",${at(proxy)}}`),
    ],
    onPage: ({ servers }) => new RegExp(`^Critical\\s*${servers[0]!.address}: The certificate expires in 4 days`),
    alert: "InmemCertificateExpires",
  },
  {
    name: "a server is killed",
    happen: async ({ launcher, servers }) => {
      launcher.forgive(servers[0]!.process);
      await servers[0]!.process.kill();
    },
    queries: ({ servers, proxy }) => [
      `inmem_server_up{${at(proxy)},server="${servers[0]!.address}"} == 0`,
      `inmem_problem{kind="server_down",subject="${servers[0]!.address}",${at(proxy)}}`,
      `up{${at(servers[0]!)}} == 0`,
    ],
    onPage: ({ servers }) => new RegExp(`^Critical\\s*${servers[0]!.address}: The server is down`),
    alert: "InmemServerDown",
  },
];

/** Makes something go wrong, and waits until each query shows it. Returns the time that it took. */
async function timeUntilSeen(watched: Watched, incident: Incident): Promise<number> {
  const { prometheus, page } = watched;
  const startMs = performance.now();
  const more = await incident.happen(watched);
  let unseen = incident.queries(watched);
  let problems: readonly string[] | undefined;
  const look = async () => {
    await more?.();
    const results = await Promise.all(unseen.map((query) => prometheus.query(query)));
    unseen = unseen.filter((_, index) => results[index]!.length === 0);
    problems = await page?.locator("#problem-list > li").allInnerTexts();
    return unseen.length === 0 && (problems?.some((text) => text.search(incident.onPage(watched)) >= 0) ?? true);
  };
  const missing = () => `an operator sees that ${incident.name}: ${unseen.join("\n")}\non the page: ${problems}`;
  await untilScraped(look, missing, SEEN_MAX_MS);
  const seenMs = performance.now() - startMs;
  const isPending = async () => (await prometheus.alerts()).some(({ name }) => name === incident.alert);
  await untilScraped(async () => (await more?.(), await isPending()), `${incident.alert} is pending`);
  return seenMs;
}

testWhere(
  MOUNTS && PROMETHEUS !== undefined,
  "prometheus, and root to mount a small file system",
  "each problem is visible within ten seconds in Prometheus, and on the page",
  (launcher) =>
    withDisk(launcher, DISK_SIZE_BYTES, async (disk) => {
      const metrics = ["--metrics", "127.0.0.1:0"];
      const folders = [launcher.newFolder(), join(disk, "data")];
      const servers = await Promise.all(folders.map((data) => launcher.server([...metrics, "--data", data])));
      const proxy = await launcher.proxy(await launcher.serversFile(servers.map(({ address }) => address)), metrics);
      const targets = [proxy, ...servers].map(metricsOf);
      const jobs = [{ name: "inmem", targets, authority: launcher.certificates.authority }];
      await using prometheus = await Prometheus.start(jobs, [join(ROOT, "cluster", "alerts.yml")]);
      await untilScraped(async () => (await prometheus.query("up == 1")).length === targets.length, "all are scraped");
      for (const { alert } of INCIDENTS) {
        assertEquals((await prometheus.alerts()).filter(({ name }) => name === alert), []);
      }
      // A browser takes as much processor time as everything else here.
      await using browser = isLong && CHROMIUM !== undefined ? await TestBrowser.start() : undefined;
      const page = (await browser?.visit(proxy.process.page!))?.page;
      const watched = { launcher, prometheus, proxy, servers, disk, page };
      for (const incident of INCIDENTS) {
        const seenMs = await timeUntilSeen(watched, incident);
        if (isLong) console.log(`${incident.name}: seen after ${(seenMs / 1000).toFixed(1)} s`);
      }
      // A repaired fault stops being a problem.
      await Deno.remove(join(disk, "ballast"));
      const refusals = `inmem_problem{kind="writes_refused"}`;
      await untilScraped(async () => (await prometheus.query(refusals)).length === 0, "writes are accepted again");
      await launcher.stop(servers.at(-1)!);
      assertEquals(await browser?.faults() ?? [], []);
    }),
  // Playwright keeps handles open until the process ends.
  { sanitizeOps: false, sanitizeResources: false },
);
