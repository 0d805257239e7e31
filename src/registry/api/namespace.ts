import { OciError } from "../../oci/error.ts";
import type { Headers } from "./exchange.ts";
import type { Route } from "./routes.ts";

/** What a client calls a repository, and what we do. */
export type NameOf = (repository: string, namespace: string | undefined) => string | undefined;

/**
 * `route` with our own name for its repository, which is what decides who may have it. A client that
 * asks a mirror names the registry it would rather ask (`?ns=`, distribution specification, "Registry
 * Proxying"), and is told that this was heeded.
 *
 * @throws {OciError} `NAME_UNKNOWN` where it names a registry we are no mirror of: what is ours by
 *   the same name is something else.
 */
export function inNamespace(
  route: Route | undefined,
  {
    query,
    host,
    nameOf,
  }: { query: URLSearchParams; host: string | undefined; nameOf: NameOf | undefined },
): { route: Route | undefined; headers: Headers } {
  if (nameOf === undefined || route === undefined || !("repository" in route))
    return { route, headers: {} };
  const asked = query.get("ns") || undefined;
  const namespace = asked === host ? undefined : asked;
  const repository = nameOf(route.repository, namespace);
  if (repository === undefined) {
    throw new OciError("NAME_UNKNOWN", `this is no mirror of ${namespace}`, {
      detail: { name: route.repository },
      hint: "name the registry in proxy.upstreams",
    });
  }
  const headers: Headers = namespace === undefined ? {} : { "oci-namespace": namespace };
  return { route: { ...route, repository }, headers };
}
