import { deletionRefused } from "./blobs.ts";
import { type ApiParts, type Inquiry, jsonAnswer, type Methods } from "./exchange.ts";
import { invalidNumber, numberIn, unknownRepository } from "./listings.ts";
import { ownPath } from "./own-routes.ts";

/** Each is looked into, so that a page is shorter than one of the catalog may be. */
const longestPage = 100;

/** `/api/v1/repositories`: what the catalog shows, and what is in it. */
export function repositoriesMethods(
  { query, call, grant, locate }: Inquiry,
  { store: { catalog, repositories } }: ApiParts,
): Methods {
  return {
    async GET() {
      const limit = numberIn(query) ?? longestPage;
      if (limit < 1 || limit > longestPage) throw invalidNumber(limit, longestPage);
      const last = query.get("last") ?? undefined;
      const page = await catalog.list({ limit, last }, { ...call, shows: grant.lists });
      const entries = [];
      for (const name of page.names) entries.push(await entryOf(name));
      const next = page.more ? page.names.at(-1) : undefined;
      return jsonAnswer(200, { repositories: entries }, linkTo(next, limit));
    },
  };

  async function entryOf(name: string) {
    const summary = await repositories.summary(name, call);
    if (summary === undefined) return { name, tags: null, size: null, lastPush: null };
    const { tags, bytes: size, pushedAt: lastPush = null } = summary;
    return { name, tags, size, lastPush };
  }

  function linkTo(last: string | undefined, limit: number) {
    if (last === undefined) return {};
    const next = new URLSearchParams({ last, n: String(limit) });
    return { link: `<${locate(`${ownPath}/repositories?${next}`)}>; rel="next"` };
  }
}

/** `/api/v1/repositories/<name>` */
export function repositoryMethods(
  { repository }: { repository: string },
  { call, grant }: Inquiry,
  { store: { repositories }, deletion }: ApiParts,
): Methods {
  return {
    async DELETE() {
      if (deletion === "refused") throw deletionRefused();
      const isGone = await repositories.delete(repository, { ...call, actor: grant.user });
      if (!isGone) throw unknownRepository(repository);
      return { status: 202, headers: { "content-length": 0 } };
    },
  };
}
