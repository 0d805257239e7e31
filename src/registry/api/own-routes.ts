/** What is below `/api/v1`: what the distribution specification has no words for. */
export type OwnRoute =
  | { kind: "repositories" }
  | { kind: "repository"; repository: string }
  | { kind: "history"; repository: string; tag: string }
  | { kind: "quotas" }
  | { kind: "collections" }
  | { kind: "collection"; id: string }
  | { kind: "scrubs" }
  | { kind: "scrub"; id: string };

export const ownPath = "/api/v1";
const lists: Readonly<Record<string, OwnRoute>> = {
  [`${ownPath}/repositories`]: { kind: "repositories" },
  [`${ownPath}/quotas`]: { kind: "quotas" },
  [`${ownPath}/garbage/collections`]: { kind: "collections" },
  [`${ownPath}/scrubs`]: { kind: "scrubs" },
};

/** The repository may be called anything, so paths are read from their end. */
export function parseOwnRoute(path: string): OwnRoute | undefined {
  const list = lists[path];
  if (list !== undefined) return list;
  const [, of, id] = /^\/api\/v1\/(garbage\/collections|scrubs)\/([^/]+)$/.exec(path) ?? [];
  if (id !== undefined) return { kind: of === "scrubs" ? "scrub" : "collection", id };
  const [, below = ""] = /^\/api\/v1\/repositories\/(.+)$/.exec(path) ?? [];
  const [, named, tag] = /^(.+)\/tags\/([^/]+)\/history$/.exec(below) ?? [];
  if (named !== undefined && tag !== undefined) return { kind: "history", repository: named, tag };
  return below === "" ? undefined : { kind: "repository", repository: below };
}
