/** What is below `/api/v1`: what the distribution specification has no words for. */
export type OwnRoute =
  | { kind: "repositories" }
  | { kind: "repository"; repository: string }
  | { kind: "history"; repository: string; tag: string }
  | { kind: "quotas" }
  | { kind: "collections" }
  | { kind: "collection"; id: string };

export const ownPath = "/api/v1";
const collectionsPath = `${ownPath}/garbage/collections`;

/** The repository may be called anything, so paths are read from their end. */
export function parseOwnRoute(path: string): OwnRoute | undefined {
  if (path === `${ownPath}/repositories`) return { kind: "repositories" };
  if (path === `${ownPath}/quotas`) return { kind: "quotas" };
  if (path === collectionsPath) return { kind: "collections" };
  const [, id] = /^\/api\/v1\/garbage\/collections\/([^/]+)$/.exec(path) ?? [];
  if (id !== undefined) return { kind: "collection", id };
  const [, below = ""] = /^\/api\/v1\/repositories\/(.+)$/.exec(path) ?? [];
  const [, named, tag] = /^(.+)\/tags\/([^/]+)\/history$/.exec(below) ?? [];
  if (named !== undefined && tag !== undefined) return { kind: "history", repository: named, tag };
  return below === "" ? undefined : { kind: "repository", repository: below };
}
