import { OciError } from "../../oci/error.ts";
import { isRepository } from "../../oci/reference.ts";
import { tokenPath } from "../auth/token-server-options.ts";
import { type OwnRoute, ownPath, parseOwnRoute } from "./own-routes.ts";

/** What a path names. Digests, tags and upload ids are as they came; nobody has checked them yet. */
export type Route =
  | { kind: "root" }
  | { kind: "base" }
  | { kind: "catalog" }
  /** Where tokens are handed out, if this registry does that itself. */
  | { kind: "token" }
  | { kind: "tags"; repository: string }
  | { kind: "manifest"; repository: string; reference: string }
  | { kind: "blob"; repository: string; digest: string }
  | { kind: "uploads"; repository: string }
  | { kind: "upload"; repository: string; id: string }
  | { kind: "referrers"; repository: string; digest: string }
  | OwnRoute;

/**
 * Reads the path of a request, below the prefix that is configured; `undefined` when nothing lives
 * there. The repository may hold any of the words in between, so paths are read from their end.
 *
 * @throws {OciError} `NAME_INVALID`
 */
export function parseRoute(encodedPath: string): Route | undefined {
  const path = decoded(encodedPath);
  if (path === "/") return { kind: "root" };
  if (path === "/v2/" || path === "/v2") return { kind: "base" };
  if (path === "/v2/_catalog") return { kind: "catalog" };
  if (path === tokenPath) return { kind: "token" };
  if (path?.startsWith(`${ownPath}/`)) return checked(parseOwnRoute(path));
  if (path === undefined || !path.startsWith("/v2/")) return undefined;

  const [, name = "", kind, target = ""] =
    /^\/v2\/(.+)\/(tags\/list|blobs\/uploads|manifests|blobs|referrers)(?:\/([^/]*))?$/.exec(
      path,
    ) ?? [];
  return checked(routeTo(kind, name, target));
}

function checked(route: Route | undefined): Route | undefined {
  if (route === undefined || !("repository" in route) || isRepository(route.repository))
    return route;
  const { repository: name } = route;
  throw new OciError("NAME_INVALID", `not a repository name: ${name}`, { detail: { name } });
}

function routeTo(kind: string | undefined, repository: string, target: string): Route | undefined {
  switch (kind) {
    case "tags/list":
      return target === "" ? { kind: "tags", repository } : undefined;
    case "blobs/uploads":
      return target === ""
        ? { kind: "uploads", repository }
        : { kind: "upload", repository, id: target };
    case "manifests":
      return target === "" ? undefined : { kind: "manifest", repository, reference: target };
    case "blobs":
      if (target === "uploads") return { kind: "uploads", repository };
      return target === "" ? undefined : { kind: "blob", repository, digest: target };
    case "referrers":
      return target === "" ? undefined : { kind: "referrers", repository, digest: target };
    default:
      return undefined;
  }
}

function decoded(path: string): string | undefined {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
