/**
 * Tests the manifests in `cluster/kubernetes/` without Kubernetes. Every name in them has to lead to something, and the
 * command line of each container really runs: with the paths of a pod replaced by those of a temporary folder, and its
 * addresses by free ports of loopback. Its probes are requested as a kubelet does.
 */

import { assert, assertEquals, assertExists, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import { parse } from "@std/yaml";
import { describeStatus, RoleProcess, ROOT } from "../cluster/role_process.ts";
import { proxyOptions, serverOptions } from "../src/role/option_tables.ts";
import { parseOptions } from "../src/role/options.ts";
import { longOnly } from "./support/amount.ts";
import { canRun } from "./support/disks.ts";
import { runInmem } from "./support/launcher.ts";
import { until } from "./support/until.ts";

const FOLDER = join(ROOT, "cluster", "kubernetes");
const PASSWORD = "a password of the Kubernetes test";

type Labels = Readonly<Record<string, string>>;

interface Probe {
  readonly httpGet: { readonly scheme: string; readonly port: string; readonly path: string };
}

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: { readonly limits: { readonly memory: string } };
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Volume {
  readonly name: string;
  readonly emptyDir?: unknown;
  readonly secret?: { readonly secretName: string; readonly defaultMode: number };
  readonly configMap?: { readonly name: string };
}

interface PodSpec {
  readonly securityContext: { readonly runAsUser: number; readonly fsGroup: number };
  readonly enableServiceLinks: boolean;
  readonly topologySpreadConstraints: readonly { readonly labelSelector: { readonly matchLabels: Labels } }[];
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly images?: readonly { readonly name: string }[];
  readonly resources?: readonly string[];
  readonly spec?: {
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly selector?: Labels & { readonly matchLabels?: Labels };
    readonly ports?: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
    readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}

/** Returns the manifests of a file. */
async function readManifests(name: string): Promise<Manifest[]> {
  const text = await Deno.readTextFile(join(FOLDER, name));
  return text.split(/^---$/m).map((part) => parse(part) as Manifest);
}

const { resources = [], images = [] } = (await readManifests("kustomization.yml"))[0]!;
const manifests = (await Promise.all(resources.map(readManifests))).flat();

/** Returns the manifest of a kind and a name. */
function find(kind: string, name: string): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  assertExists(found, `${kind} ${name}`);
  return found;
}

/** The workloads, with the table of the role that each runs. */
const WORKLOADS = [
  { role: "server", workload: find("StatefulSet", "inmem-server"), options: serverOptions },
  { role: "proxy", workload: find("Deployment", "inmem-proxy"), options: proxyOptions },
] as const;

/** Returns the only container of a workload, and its pod. */
function podOf({ spec }: Manifest): { pod: PodSpec; container: Container; labels: Labels } {
  const { metadata, spec: pod } = spec!.template!;
  assertEquals(pod.containers.length, 1);
  return { pod, container: pod.containers[0]!, labels: metadata.labels };
}

Deno.test("kubernetes/: kustomization.yml lists every other file, and the image that they name", async () => {
  const files = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name !== "kustomization.yml");
  assertEquals(files.sort(), [...resources].sort());
  for (const { workload } of WORKLOADS) assertEquals(images.map(({ name }) => name), [podOf(workload).container.image]);
  const versions = new Set(manifests.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`));
  assertEquals([...versions].sort(), [
    "apps/v1 Deployment",
    "apps/v1 StatefulSet",
    "policy/v1 PodDisruptionBudget",
    "v1 ConfigMap",
    "v1 Service",
  ]);
  if (await canRun("kubectl", "version", "--client")) {
    const { success, stdout } = await new Deno.Command("kubectl", { args: ["kustomize", FOLDER] }).output();
    assert(success);
    assertEquals(new TextDecoder().decode(stdout).match(/^kind: /gm)?.length, manifests.length);
  }
});

Deno.test("kubernetes/: selectors, ports and probes lead to the pods", () => {
  for (const { role, workload } of WORKLOADS) {
    const { pod, container, labels } = podOf(workload);
    const selectors = [
      workload.spec!.selector!.matchLabels,
      find("Service", `inmem-${role}`).spec!.selector,
      find("PodDisruptionBudget", `inmem-${role}`).spec!.selector!.matchLabels,
      ...pod.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels),
    ];
    for (const selector of selectors) assertEquals<unknown>(selector, labels, role);
    const names = container.ports.map(({ name }) => name);
    for (const { name, port, targetPort } of find("Service", `inmem-${role}`).spec!.ports!) {
      assert(names.includes(targetPort), `${role}: ${targetPort}`);
      assertEquals(port, container.ports.find((each) => each.name === name)?.containerPort);
    }
    for (const { httpGet } of [container.livenessProbe, container.readinessProbe]) {
      assertEquals([httpGet.scheme, httpGet.port], ["HTTPS", "metrics"]);
    }
    // Links make variables such as INMEM_PROXY_PORT.
    assertEquals(pod.enableServiceLinks, false);
  }
  const stateful = find("StatefulSet", "inmem-server").spec!;
  assertEquals(find("Service", stateful.serviceName!).metadata.name, "inmem-server");
});

Deno.test("kubernetes/: the options exist, and their ports and paths are those of the pod", async () => {
  const dockerfile = await Deno.readTextFile(join(ROOT, "Dockerfile"));
  for (const { role, workload, options } of WORKLOADS) {
    const { pod, container } = podOf(workload);
    assertEquals(container.args[0], role);
    const { values, positional } = parseOptions(options, container.args.slice(1), { environment: () => undefined });
    assertEquals(positional, []);
    assertEquals([values.addr.port, values.metrics?.port], container.ports.map(({ containerPort }) => containerPort));

    const claims = workload.spec!.volumeClaimTemplates?.map(({ metadata }) => metadata.name) ?? [];
    const volumes = [...pod.volumes.map(({ name }) => name), ...claims];
    assertEquals(container.volumeMounts.map(({ name }) => name).sort(), volumes.sort(), role);
    const isMounted = (path: string) =>
      container.volumeMounts.some(({ mountPath }) => path.startsWith(`${mountPath}/`));
    const paths = container.args.map((word) => word.split("=")[1] ?? "").filter((value) => value.startsWith("/"));
    assert(paths.length >= 4);
    for (const path of paths) assert(isMounted(path), `${role}: ${path}`);
    // The image's environment names the health file, and its root cannot be written.
    assertEquals(container.securityContext.readOnlyRootFilesystem, true);
    const health = new RegExp(`INMEM_${role.toUpperCase()}_HEALTH_FILE=(\\S+)`).exec(dockerfile)![1]!;
    const mount = container.volumeMounts.find(({ mountPath }) => mountPath === dirname(health));
    assertExists(pod.volumes.find(({ name }) => name === mount?.name)?.emptyDir, `${role}: ${health}`);
    assertStringIncludes(dockerfile, `--uid ${pod.securityContext.runAsUser} inmem`);
    assertEquals(pod.securityContext.fsGroup, pod.securityContext.runAsUser);
    for (const { secret } of pod.volumes) assert(secret === undefined || secret.defaultMode === 0o440, role);
  }
});

Deno.test("kubernetes/: the list has each replica, and README makes the secrets for all of it", async () => {
  const { replicas, serviceName } = find("StatefulSet", "inmem-server").spec!;
  const names = Array.from({ length: replicas! }, (_, index) => `inmem-server-${index}.${serviceName}`);
  const map = find("ConfigMap", "inmem-servers-list");
  const list = JSON.parse(map.data!["servers.json"]!) as { addr: string }[];
  const { container, pod } = podOf(find("Deployment", "inmem-proxy"));
  assertEquals(list.map(({ addr }) => addr), names.map((name) => `${name}:9443`));
  const listVolume = pod.volumes.find(({ configMap }) => configMap?.name === map.metadata.name);
  assertEquals(
    container.volumeMounts.find(({ name }) => name === listVolume?.name)?.mountPath,
    dirname(container.args.find((word) => word.startsWith("--servers="))!.split("=")[1]!),
  );
  const readme = (await Deno.readTextFile(join(ROOT, "cluster", "README.md"))).replaceAll("\\\n", " ");
  const command = /^inmem certs certificates (.*)$/m.exec(readme)![1]!;
  assertEquals([...command.matchAll(/--host (\S+)/g)].map(([, host]) => host).sort(), [...names, "inmem-proxy"].sort());
  for (const { workload } of WORKLOADS) {
    const { container, pod } = podOf(workload);
    for (const { name, secret } of pod.volumes) {
      if (secret === undefined) continue;
      const made = new RegExp(`^kubectl create secret generic ${secret.secretName} (.*)$`, "m").exec(readme)?.[1];
      const keys = [...made!.matchAll(/--from-file=(?:[^\s=]*\/)?([^\s=/]+)/g)].map(([, key]) => key!);
      const folder = container.volumeMounts.find((mount) => mount.name === name)!.mountPath;
      for (const word of container.args.filter((word) => word.includes(`=${folder}/`))) {
        assert(keys.includes(word.slice(word.lastIndexOf("/") + 1)), `${word}: ${keys}`);
      }
    }
  }
});

Deno.test("kubernetes/: the command lines run, the probes succeed, and the cluster keeps a key", longOnly, async () => {
  const folder = await Deno.makeTempDir();
  const started: RoleProcess[] = [];
  const ends: string[] = [];
  try {
    const certificates = join(folder, "certs");
    await Deno.writeTextFile(join(folder, "password"), PASSWORD, { mode: 0o600 });
    assertEquals((await runInmem(["certs", certificates])).code, 0);
    const places: readonly (readonly [string, string])[] = [
      ["/run/secrets/inmem-certificates", certificates],
      ["/run/secrets/inmem-password", folder],
      ["/etc/inmem", folder],
      ["/data", join(folder, "data")],
      ["0.0.0.0:9443", "127.0.0.1:0"],
      ["0.0.0.0:9543", "127.0.0.1:0"],
    ];
    using trusting = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(join(certificates, "ca.pem"))] });
    for (const { role, workload } of WORKLOADS) {
      const { container } = podOf(workload);
      const words = container.args.map((word) => places.reduce((text, [from, to]) => text.replace(from, to), word));
      const process = new RoleProcess(role, words);
      started.push(process);
      const addr = await process.address();
      if (role === "server") await Deno.writeTextFile(join(folder, "servers.json"), JSON.stringify([{ addr }]));
      for (const { httpGet } of [container.livenessProbe, container.readinessProbe]) {
        const url = new URL(httpGet.path, process.page);
        await until(async () => {
          const response = await fetch(url, { client: trusting });
          await response.body?.cancel();
          return response.status === 200;
        }, `${role}: ${url}`);
      }
    }
    const trust = ["--ca", join(certificates, "ca.pem"), "--password-file", join(folder, "password")];
    const client = ["client", "--addr", await started[1]!.address(), ...trust];
    assertEquals((await runInmem([...client, "set", "greeting", "hello"])).stdout, "OK\n");
    assertEquals((await runInmem([...client, "get", "greeting"])).stdout, "hello\n");
  } finally {
    for (const role of started.reverse()) {
      const status = await role.stop();
      if (!status.success) ends.push(`${role.name}: ${describeStatus(status)}${role.lastLines()}`);
    }
    await Deno.remove(folder, { recursive: true });
  }
  assertEquals(ends, []);
});
