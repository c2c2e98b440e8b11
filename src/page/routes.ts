/**
 * The routes of the port of `--metrics`. A route that exists is a row of one of these tables.
 *
 * @module
 */

import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { textResponse } from "../http/message.ts";
import type { ObservedRole } from "./observed_role.ts";
import { PROMETHEUS_TYPE, prometheusText } from "./prometheus.ts";

/** A route whose response needs a running role, and a password if the role has one. */
export interface Route {
  /** The method; `GET` includes `HEAD`. */
  readonly method: "GET" | "POST";
  /** The whole path. */
  readonly path: string;
  /** Returns the response. */
  serve(role: ObservedRole, request: HttpRequest): HttpResponse | Promise<HttpResponse>;
}

/** The routes of Prometheus. */
export const METRICS_ROUTES: readonly Route[] = [{
  method: "GET",
  path: "/metrics",
  serve: async (role) => {
    await role.refresh();
    return { status: 200, type: PROMETHEUS_TYPE, body: await prometheusText(role.families()) };
  },
}];

/** Finds the route of each request. */
export class RouteTable {
  readonly #byPath = new Map<string, Route[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const others = this.#byPath.get(route.path);
      if (others === undefined) this.#byPath.set(route.path, [route]);
      else others.push(route);
    }
  }

  /** Returns the route of a request, or the response that says why there is none. */
  find({ method, path }: Pick<HttpRequest, "method" | "path">): Route | HttpResponse {
    const routes = this.#byPath.get(path);
    if (routes === undefined) return textResponse(404, "there is no such page");
    const found = routes.find((each) => each.method === (method === "HEAD" ? "GET" : method));
    if (found !== undefined) return found;
    const allow = routes.map((each) => each.method === "GET" ? "GET, HEAD" : each.method).join(", ");
    return textResponse(405, `expected ${allow}`, { allow });
  }
}
