/**
 * The port of `--metrics`: it listens, decides who may see what, and leads requests to the routes.
 *
 * ```text
 * /healthz, /readyz           everybody, from before the data is loaded until the role has ended
 * everything else     503     before the role runs
 *                     421     the host of the URL is a name of another site (only without a password)
 *                     403     a page of another site sends the request
 *                     401     no password, or a wrong one, which is counted and delayed as on the role's own port
 *                     404 …   or the response of the route
 * ```
 *
 * The rules of listening are those of the role's own port (role/listening_options.ts): TLS with the role's certificate
 * unless `--plaintext` is given, and a password beyond loopback unless `--no-auth` is.
 *
 * A role imports this module only when the option is given, so that starting without it takes no longer.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import type { Address } from "../address.ts";
import { stackOf } from "../errors.ts";
import { CHALLENGE, parseBasic } from "../http/basic_auth.ts";
import { type HttpRequest, type HttpResponse, textResponse } from "../http/message.ts";
import { foreignProblem, hostProblem } from "../http/origin_check.ts";
import type { RequestProblem } from "../http/request_head.ts";
import { HttpServer } from "../http/server.ts";
import { listen } from "../net/listener.ts";
import type { ListeningSettings } from "../role/listening_options.ts";
import type { Logger } from "../role/logger.ts";
import { LivePage } from "./live_page.ts";
import type { ObservedRole, ServedRole } from "./observed_role.ts";
import { METRICS_ROUTES, type Route, RouteTable } from "./routes.ts";

/** The paths that everybody may request. */
const HEALTH_PATH = "/healthz";
const READY_PATH = "/readyz";

/** How a port listens. */
export interface MetricsPortSettings {
  /** The address of `--metrics`; port 0 lets the system choose. */
  readonly address: Address;
  /** The most connections at a time (role/descriptors.ts). */
  readonly connections?: number;
  /** The settings of the role's own port. */
  readonly listening: Pick<ListeningSettings, "certificate" | "password">;
  readonly logger: Logger;
  /** The routes; those of Prometheus unless they are given. */
  readonly routes?: readonly Route[];
  /** How the live page works; without it there is none. */
  readonly page?: { readonly canEdit: boolean };
}

/** A port that listens. */
export class MetricsPort {
  readonly #server: HttpServer;
  readonly #page: MetricsPortSettings["page"];
  readonly #metricsRoutes: readonly Route[];
  #routes: RouteTable;
  readonly #hostnames: readonly string[];
  readonly #passwordRequired: boolean;
  #role: ObservedRole | undefined;
  #stopping = false;

  /**
   * Listens. Until {@linkcode observe} is called, `/readyz` says that data is loaded.
   *
   * @throws {StartError} when the address cannot be listened on
   */
  constructor({ address, connections, listening, logger, routes = METRICS_ROUTES, page }: MetricsPortSettings) {
    const { hostname, port } = address;
    this.#page = page;
    this.#metricsRoutes = routes;
    this.#routes = new RouteTable(routes);
    this.#hostnames = [hostname.toLowerCase()];
    this.#passwordRequired = listening.password.length > 0;
    this.#server = new HttpServer({
      listener: listen({ hostname, port, ...listening.certificate }),
      handle: (request) => this.#handle(request),
      ...connections !== undefined && { connections },
      urgentPaths: new Set([HEALTH_PATH, READY_PATH]),
      warn: (message, fields) => logger.warn(message, fields),
      reportBug: (error) => logger.error("A bug of inmem; please report it", { error: stackOf(error) }),
    });
    const scheme = listening.certificate === undefined ? "http" : "https";
    logger.info(`live page and metrics on ${scheme}://${formatAddress(this.#server.address)}/`);
  }

  /** The address listened on, with the real port. */
  get address(): Deno.NetAddr {
    return this.#server.address;
  }

  /**
   * Serves a role that has started.
   *
   * @returns the role together with this port: it replaces the certificates of both, and stops the role first
   */
  observe(role: ObservedRole & ServedRole): ServedRole {
    this.#role = role;
    const page = this.#page && new LivePage(role, this.#page.canEdit);
    this.#routes = new RouteTable([...this.#metricsRoutes, ...page?.routes ?? []]);
    return {
      stop: async () => {
        this.#stopping = true;
        try {
          await page?.close();
          await role.stop();
        } finally {
          await this.stop();
        }
      },
      reload: () => role.reload?.(),
      replaceCertificate: (certificate) => {
        role.replaceCertificate(certificate);
        this.#server.replaceCertificate(certificate);
      },
      replacePasswords: (passwords) => role.replacePasswords(passwords),
    };
  }

  /** Stops listening, and ends every connection in order. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopping = true;
    return this.#server.stop();
  }

  #handle(request: HttpRequest): HttpResponse | Promise<HttpResponse> {
    if (request.path === HEALTH_PATH || request.path === READY_PATH) return this.#health(request);
    const role = this.#role;
    if (role === undefined) return this.#unavailable();
    const problem = foreignProblem(request) ??
      (this.#passwordRequired ? undefined : hostProblem(request, this.#hostnames)) ??
      bodyProblem(request);
    if (problem !== undefined) return textResponse(problem.status, problem.message);
    const refusal = this.#passwordRequired ? authenticate(role, request) : undefined;
    if (refusal !== undefined) return refusal;
    const route = this.#routes.find(request);
    return "serve" in route ? route.serve(role, request) : route;
  }

  #health({ method, path }: HttpRequest): HttpResponse {
    if (method === "POST") return textResponse(405, "expected GET, HEAD", { allow: "GET, HEAD" });
    return path === HEALTH_PATH || this.#notReady === undefined ? textResponse(200, "ok") : this.#unavailable();
  }

  #unavailable(): HttpResponse {
    return textResponse(503, this.#notReady ?? "", { "retry-after": "1" });
  }

  /** The reason why the role should get no clients; `undefined` when it is ready. */
  get #notReady(): string | undefined {
    if (this.#stopping) return "it is stopping";
    return this.#role === undefined ? "it is loading its data" : this.#role.notReady();
  }
}

/** Returns the response to a request without the right password; `undefined` when it has it. */
function authenticate(role: ObservedRole, { headers, peer }: HttpRequest): HttpResponse | undefined {
  const authorization = headers.get("authorization");
  if (authorization === undefined) return textResponse(401, "expected a password", CHALLENGE);
  const { user, password } = parseBasic(authorization) ?? { user: "", password: "" };
  if (role.authenticate(peer, user === "" ? "default" : user, password)) return undefined;
  return { ...textResponse(401, "the password is wrong", CHALLENGE), delayMs: role.failedLogin(peer) };
}

/** Returns why a request is refused that a form of another site could have sent. */
function bodyProblem({ method, headers }: HttpRequest): Pick<RequestProblem, "status" | "message"> | undefined {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (method !== "POST" || type === "application/json") return undefined;
  return { status: 415, message: "expected a body of the type application/json" };
}
