import { OciError } from "../../oci/error.ts";
import type { Page, PageRequest } from "../images/page.ts";
import {
  type ApiParts,
  type Headers,
  type Inquiry,
  jsonAnswer,
  type Methods,
  warningOf,
} from "./exchange.ts";

/** What Distribution gives a client that does not say how much it wants. */
const ordinaryCatalogPage = 100;

/** `/v2/<name>/tags/list` (end-8). */
export function tagsMethods(
  { repository }: { repository: string },
  { query, call }: Inquiry,
  { store: { tags }, maximumTags }: ApiParts,
): Methods {
  return {
    async GET() {
      // Without `n`, all of them: scripts written for Distribution do not follow `Link`.
      const asked = numberIn(query) ?? Number.POSITIVE_INFINITY;
      const limit = query.has("n") ? Math.min(asked, maximumTags) : asked;
      const request = { limit, last: query.get("last") ?? undefined };
      const page = await tags.list(repository, request, call);
      if (page === undefined) {
        throw unknownRepository(repository);
      }
      const link = linkTo(`/v2/${repository}/tags/list`, request, page);
      const headers = { ...link, ...warningOf(page.warning) };
      return jsonAnswer(200, { name: repository, tags: page.names }, headers);
    },
  };
}

/** `/v2/_catalog`, which is Distribution's own. */
export function catalogMethods(
  { query, call, grant }: Inquiry,
  { store: { catalog }, maximumCatalogEntries }: ApiParts,
): Methods {
  return {
    async GET() {
      const ordinary = Math.min(ordinaryCatalogPage, maximumCatalogEntries);
      const limit = numberIn(query) ?? ordinary;
      if (limit > maximumCatalogEntries) throw invalidNumber(limit, maximumCatalogEntries);
      const request = { limit, last: query.get("last") ?? undefined };
      const page = await catalog.list(request, { ...call, shows: grant.lists });
      const headers = linkTo("/v2/_catalog", request, page);
      return jsonAnswer(200, { repositories: page.names }, headers);
    },
  };
}

function linkTo(path: string, { limit }: PageRequest, { names, more }: Page): Headers {
  const last = names.at(-1);
  if (!more || last === undefined) return {};
  return { link: `<${path}?${new URLSearchParams({ last, n: String(limit) })}>; rel="next"` };
}

export function numberIn(query: URLSearchParams): number | undefined {
  const text = query.get("n");
  if (text === null || text === "") return undefined;
  if (!/^\d{1,9}$/.test(text)) throw invalidNumber(text);
  return Number(text);
}

/** `most` is what a page may have, where `n` is a number. */
export function invalidNumber(n: unknown, most?: number): OciError {
  const limit = most === undefined ? "" : `: a page has at most ${most}`;
  return new OciError("PAGINATION_NUMBER_INVALID", `not a number of results: ${n}${limit}`, {
    detail: { n },
  });
}

export function unknownRepository(name: string): OciError {
  return new OciError("NAME_UNKNOWN", "there is no such repository", { detail: { name } });
}
