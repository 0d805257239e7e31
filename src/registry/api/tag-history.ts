import { OciError } from "../../oci/error.ts";
import type { TagChange } from "../images/tag-history.ts";
import { type ApiParts, type Headers, type Inquiry, jsonAnswer, type Methods } from "./exchange.ts";
import { invalidNumber, numberIn } from "./listings.ts";
import { checkedTag, unknownManifest } from "./manifests.ts";
import { ownPath } from "./own-routes.ts";

const ordinaryPage = 100;
const longestPage = 1_000;

/** `/api/v1/repositories/<name>/tags/<tag>/history` */
export function historyMethods(
  { repository, tag }: { repository: string; tag: string },
  { query, call, locate }: Inquiry,
  { history, pulls }: ApiParts,
): Methods {
  checkedTag(tag);
  return {
    async GET() {
      const limit = numberIn(query) ?? ordinaryPage;
      if (limit < 1 || limit > longestPage) throw invalidNumber(limit, longestPage);
      const before = timeIn(query);
      const all = await history.list(repository, tag, call);
      if (all.length === 0) throw unknownManifest(repository, { tag });
      const { changes, more } = pageOf(all, before, limit);
      const lastPulled = (await pulls.ofTag(repository, tag, call)) ?? null;
      const link = more ? linkTo(changes.at(-1), limit) : {};
      const entries = changes.map(entryOf);
      return jsonAnswer(200, { name: repository, tag, lastPulled, history: entries }, link);
    },
  };

  function linkTo(last: TagChange | undefined, limit: number): Headers {
    const query = new URLSearchParams({ before: last?.at.toISOString() ?? "", n: String(limit) });
    const path = `${ownPath}/repositories/${repository}/tags/${tag}/history`;
    return { link: `<${locate(`${path}?${query}`)}>; rel="next"` };
  }
}

/** Changes of one instant stay together, so that the next page can begin before that. */
function pageOf(all: readonly TagChange[], before: Date | undefined, limit: number) {
  const left = before === undefined ? all : all.filter(({ at }) => at < before);
  const last = left[limit - 1];
  const end = last === undefined ? left.length : left.filter(({ at }) => at >= last.at).length;
  return { changes: left.slice(0, end), more: end < left.length };
}

function entryOf({ at, digest, previous, actor }: TagChange) {
  return {
    at,
    action: digest === undefined ? "delete" : "push",
    digest: digest ?? null,
    previous: previous ?? null,
    actor: actor ?? null,
  };
}

function timeIn(query: URLSearchParams): Date | undefined {
  const text = query.get("before");
  if (text === null || text === "") return undefined;
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  const why = "before is a time such as 2026-01-31T12:00:00.000Z";
  throw new OciError("PAGINATION_NUMBER_INVALID", why, { detail: { before: text } });
}
