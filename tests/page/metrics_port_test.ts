import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import type { Family } from "../../src/metrics/families.ts";
import { EventStream } from "../../src/http/event_stream.ts";
import { MetricsPort } from "../../src/page/metrics_port.ts";
import { prometheusText } from "../../src/page/prometheus.ts";
import { METRICS_ROUTES, type Route } from "../../src/page/routes.ts";
import { HttpClient } from "../support/http_client.ts";
import { withMetricsPort } from "../support/metrics_rig.ts";
import { until } from "../support/until.ts";

/** Returns the header of a user and a password. */
function basic(user: string, password: string): Record<string, string> {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

Deno.test("/metrics shows counters, gauges and histograms as Prometheus reads them", async () => {
  await withMetricsPort(async ({ port, role }) => {
    role.shown = [
      {
        name: "inmem_a_total",
        type: "counter",
        help: "One.\nTwo \\.",
        labels: [],
        samples: [{ labels: {}, value: 7 }],
      },
      {
        name: "inmem_b",
        type: "gauge",
        help: "B.",
        labels: ["key"],
        samples: [{ labels: { key: 'a"b\\c\nd<script>\u{1f600}' }, value: 0.5 }],
      },
      {
        name: "inmem_c_seconds",
        type: "histogram",
        help: "C.",
        labels: ["command"],
        bounds: [0.001, 0.1],
        distributions: [{ labels: { command: "get" }, counts: [1, 3], count: 4, sum: 2.5 }],
      },
    ];
    using client = await HttpClient.connect(port.address);
    const { status, headers, body } = await client.request("/metrics");
    assertEquals([status, headers.get("content-type")], [200, "text/plain; version=0.0.4; charset=utf-8"]);
    assertEquals(
      body.trim().replaceAll("\n\n", "\n").split("\n"),
      [
        "# HELP inmem_a_total One.\\nTwo \\\\.",
        "# TYPE inmem_a_total counter",
        "inmem_a_total 7",
        "# HELP inmem_b B.",
        "# TYPE inmem_b gauge",
        'inmem_b{key="a\\"b\\\\c\\nd<script>\u{1f600}"} 0.5',
        "# HELP inmem_c_seconds C.",
        "# TYPE inmem_c_seconds histogram",
        'inmem_c_seconds_bucket{command="get",le="0.001"} 1',
        'inmem_c_seconds_bucket{command="get",le="0.1"} 3',
        'inmem_c_seconds_bucket{command="get",le="+Inf"} 4',
        'inmem_c_seconds_sum{command="get"} 2.5',
        'inmem_c_seconds_count{command="get"} 4',
      ],
    );
    assertEquals(
      (await client.request("/metrics", { method: "HEAD" })).headers.get("content-length"),
      `${encoded(body)}`,
    );
    // The connection stays usable, and the next response is not mixed with the body that HEAD has left out.
    assertEquals((await client.request("/healthz")).body, "ok\n");
  });
});

function encoded(text: string): number {
  return new TextEncoder().encode(text).length;
}

Deno.test("/readyz says why a role is not ready, and /healthz is always healthy", async () => {
  await withMetricsPort(async ({ port, role }) => {
    using client = await HttpClient.connect(port.address);
    assertEquals((await client.request("/readyz")).status, 200);
    role.reason = "no server is up";
    const { status, body } = await client.request("/readyz");
    assertEquals([status, body], [503, "no server is up\n"]);
    assertEquals((await client.request("/healthz")).status, 200);
  });
});

Deno.test("before the role runs, only health is reported, and while it stops the port stays open", async () => {
  const logger = { info: () => {}, warn: () => {}, error: () => {} };
  const listening = { certificate: undefined, password: ["secret"] };
  const port = new MetricsPort({ address: { hostname: "127.0.0.1", port: 0 }, listening, logger });
  try {
    using client = await HttpClient.connect(port.address);
    assertEquals((await client.request("/healthz")).status, 200);
    for (const path of ["/readyz", "/metrics", "/", "/nope"]) {
      const { status, body } = await client.request(path);
      assertEquals([status, body], [503, "it is loading its data\n"], path);
    }
  } finally {
    await port.stop();
  }
  await withMetricsPort(async ({ port, role, served }) => {
    const stopped = Promise.withResolvers<void>();
    role.stopped = stopped.promise;
    const ended = served.stop();
    using client = await HttpClient.connect(port.address);
    const { status, body } = await client.request("/readyz");
    assertEquals([status, body], [503, "it is stopping\n"]);
    stopped.resolve();
    await ended;
    assertEquals(await client.readToEnd(), 0);
  });
});

Deno.test("with a password, everything but health needs it, also on loopback", async () => {
  await withMetricsPort(async ({ port, role, warnings }) => {
    using client = await HttpClient.connect(port.address);
    assertEquals((await client.request("/healthz")).status, 200);
    for (const path of ["/metrics", "/", "/nope"]) {
      const { status, headers } = await client.request(path);
      assertEquals(status, 401, path);
      assertStringIncludes(headers.get("www-authenticate") ?? "", "Basic");
    }
    assertEquals(role.failedLogins.count, 0);
    for (
      const headers of [basic("default", "pässword"), basic("", "pässword"), basic("default", "second:with colon")]
    ) {
      assertEquals((await client.request("/metrics", { headers })).status, 200);
      // A name of another site is harmless: its page does not have the password.
      assertEquals((await client.request("/metrics", { headers: { ...headers, host: "evil.example" } })).status, 200);
    }
    for (
      const headers of [
        basic("default", "wrong"),
        basic("admin", "pässword"),
        { authorization: "Basic" },
        { authorization: "Basic ====" },
        { authorization: "Basic /w==" },
        { authorization: "Bearer abc" },
      ]
    ) assertEquals((await client.request("/metrics", { headers })).status, 401);
    assertEquals(role.failedLogins.count, 6);
    assertStringIncludes(warnings.join(), "Wrong password");
    assert(!warnings.join().includes("wrong"), "the log names no password");
  }, { passwords: ["pässword", "second:with colon"] });
});

Deno.test("wrong passwords are delayed, and the role may end the connection", async () => {
  await withMetricsPort(async ({ port, role }) => {
    using client = await HttpClient.connect(port.address);
    const startedMs = performance.now();
    for (let guesses = 1; guesses <= 5; guesses++) {
      const { headers } = await client.request("/metrics", { headers: basic("default", `${guesses}`) });
      assertEquals(headers.get("connection"), "keep-alive");
    }
    assert(performance.now() - startedMs >= 150, "the fourth and the fifth refusal take 50 and 100 ms");
    using other = await HttpClient.connect(port.address);
    role.failedLogin = (guessing) => (guessing.closing = true, 0);
    const { headers } = await other.request("/metrics", { headers: basic("default", "x") });
    assertEquals([headers.get("connection"), await other.readToEnd()], ["close", 0]);
  }, { passwords: ["right"] });
});

Deno.test("without a password, names of other sites and requests of their pages are refused", async () => {
  await withMetricsPort(async ({ port }) => {
    const cases: [Record<string, string>, number][] = [
      [{ host: "localhost:1" }, 200],
      [{ host: "127.0.0.1" }, 200],
      [{ host: "[::1]:9" }, 200],
      [{ host: "192.0.2.7:9460" }, 200],
      [{ host: "grafana.localhost" }, 200],
      [{ host: "evil.example" }, 421],
      [{ host: "localhost.evil.example" }, 421],
      [{ host: "127.0.0.1.evil.example:80" }, 421],
      [{ host: "2130706433" }, 421],
      [{ host: "localhost", origin: "http://localhost" }, 200],
      [{ host: "localhost:80", origin: "https://LOCALHOST:80" }, 200],
      [{ host: "localhost", origin: "http://evil.example" }, 403],
      [{ host: "localhost:1", origin: "http://localhost:2" }, 403],
      [{ host: "localhost", origin: "null" }, 403],
      [{ host: "localhost", origin: "http://localhost.evil.example" }, 403],
      [{ host: "localhost", origin: "" }, 403],
      [{ "sec-fetch-site": "same-origin" }, 200],
      [{ "sec-fetch-site": "none" }, 200],
      [{ "sec-fetch-site": "cross-site" }, 403],
      [{ "sec-fetch-site": "same-site" }, 403],
      [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }, 403],
      [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }, 403],
      [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, 200],
    ];
    using client = await HttpClient.connect(port.address);
    for (const [headers, status] of cases) {
      assertEquals((await client.request("/metrics", { headers })).status, status, JSON.stringify(headers));
    }
    assertEquals((await client.request("/healthz", { headers: { host: "some.load.balancer" } })).status, 200);
  });
});

Deno.test("a path or a method that does not exist is refused, and a body needs its type", async () => {
  const routes: Route[] = [...METRICS_ROUTES, {
    method: "POST",
    path: "/echo",
    serve: (_role, { body }) => ({ status: 200, type: "application/json", body }),
  }];
  await withMetricsPort(async ({ port }) => {
    using client = await HttpClient.connect(port.address);
    const json = { "content-type": "application/json; charset=utf-8" };
    for (const path of ["/nope", "/metrics/", "/Metrics", "//metrics", "/%6detrics", "/../metrics", "/metrics%00"]) {
      assertEquals((await client.request(path)).status, 404, path);
    }
    assertEquals((await client.request("/metrics?a=b")).status, 200);
    const wrong = await client.request("/metrics", { method: "POST", headers: json, body: "{}" });
    assertEquals([wrong.status, wrong.headers.get("allow")], [405, "GET, HEAD"]);
    assertEquals((await client.request("/echo")).headers.get("allow"), "POST");
    assertEquals((await client.request("/healthz", { method: "POST" })).status, 405);
    for (
      const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"]
    ) {
      const headers = { "content-type": type };
      assertEquals((await client.request("/echo", { method: "POST", headers, body: "{}" })).status, 415, type);
    }
    const body = '{"a": "é"}';
    assertEquals((await client.request("/echo", { method: "POST", headers: json, body })).body, body);
  }, { routes });
});

Deno.test("every response tells browsers to be careful", async () => {
  await withMetricsPort(async ({ port }) => {
    using client = await HttpClient.connect(port.address);
    for (const path of ["/metrics", "/healthz", "/nope"]) {
      const { headers } = await client.request(path);
      assertStringIncludes(headers.get("content-security-policy") ?? "", "default-src 'none'; script-src 'self';");
      assertEquals(headers.get("x-content-type-options"), "nosniff");
      assertEquals(headers.get("cache-control"), "no-store");
      assertEquals([...headers.keys()].filter((name) => name.startsWith("access-control")), []);
    }
  });
});

Deno.test("a route that throws is a bug in the log, and the next request is served", async () => {
  const routes: Route[] = [...METRICS_ROUTES, {
    method: "GET",
    path: "/broken",
    serve: () => Promise.reject(new Error("deliberate")),
  }];
  await withMetricsPort(async ({ port, warnings }) => {
    using client = await HttpClient.connect(port.address);
    const { status, body } = await client.request("/broken");
    assertEquals(status, 500);
    assert(!body.includes("deliberate"));
    assertStringIncludes(warnings.join(), "deliberate");
    assertEquals((await client.request("/metrics")).status, 200);
  }, { routes });
});

Deno.test("a stream of events reaches its viewers, and stops with the port", async () => {
  const counts: number[] = [];
  const events = new EventStream({ maxCount: 2, first: () => "first", onCount: (count) => counts.push(count) });
  const routes: Route[] = [{ method: "GET", path: "/events", serve: () => ({ events }) }];
  await withMetricsPort(async ({ port, served }) => {
    using one = await HttpClient.connect(port.address);
    using two = await HttpClient.connect(port.address);
    using three = await HttpClient.connect(port.address);
    for (const client of [one, two]) {
      assertEquals((await client.request("/events")).headers.get("content-type"), "text/event-stream");
      assertEquals(await client.readUntil("\n\n"), "data: first\n\n");
    }
    assertEquals((await three.request("/events")).status, 503);
    events.send('{"a":\n1}');
    for (const client of [one, two]) assertEquals(await client.readUntil("\n\n"), 'data: {"a":\ndata: 1}\n\n');
    one[Symbol.dispose]();
    await until(() => events.count === 1, "the stream has one viewer");
    await served.stop();
    assertEquals([await two.readToEnd(), events.count], [0, 0]);
    assertEquals(counts, [1, 2, 1, 0]);
  }, { routes });
});

Deno.test("a port in use is an error that says so", async () => {
  await withMetricsPort(async ({ port }) => {
    const { hostname, port: number } = port.address;
    const logger = { info: () => {}, warn: () => {}, error: () => {} };
    const listening = { certificate: undefined, password: [] };
    assertThrows(
      () => new MetricsPort({ address: { hostname, port: number }, listening, logger }),
      StartError,
      `Cannot listen on 127.0.0.1:${number}: another program uses that port`,
    );
    await Promise.resolve();
  });
});

Deno.test("a long text for Prometheus lets other work have turns", async () => {
  const families = Array.from({ length: 200 }, (_, index): Family => ({
    name: `inmem_metric_${index}`,
    type: "gauge",
    help: "A metric.",
    labels: ["server"],
    samples: Array.from({ length: 100 }, (_, server) => ({ labels: { server: `server-${server}` }, value: server })),
  }));
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const text = await prometheusText(families);
  clearInterval(timer);
  assertEquals(text.split("\n").filter((line) => line.startsWith("inmem_")).length, 20_000);
  assert(turns >= 3, `${turns} turns`);
});
