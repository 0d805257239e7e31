import * as v from "valibot";
import type { Call } from "../base/call.ts";
import type { HttpAnswer } from "../base/http-client.ts";
import { type Connection, collectFrom, pullScope } from "./connection.ts";
import { OciError } from "./error.ts";
import { nextPage } from "./page-link.ts";

export interface TagList {
  tags: string[];
  /** To ask with next time; only given when the whole list was one page. */
  entityTag: string | undefined;
}

const TagPage = v.object({ tags: v.optional(v.nullable(v.array(v.string()))) });

const maximumPageBytes = 8 * 1024 * 1024;
const maximumPages = 1000;

/** Every tag, page by page (distribution specification, "Listing Tags"). */
export async function listTags(
  connection: Connection,
  repository: string,
  { signal, unlessMatch }: Call & { unlessMatch?: string | undefined },
): Promise<TagList | undefined> {
  const tags: string[] = [];
  let page: URL | undefined = connection.urlOf(`${repository}/tags/list`);
  let entityTag: string | undefined;
  for (let count = 1; page !== undefined; count++) {
    const answer = await pageOf(
      connection,
      page,
      repository,
      count === 1 ? unlessMatch : undefined,
      signal,
    );
    if (answer === undefined) return undefined;
    for (const tag of await tagsIn(answer, connection.host)) tags.push(tag);
    page = nextPage(answer.headers.link, page);
    entityTag = count === 1 && page === undefined ? answer.headers.etag : undefined;
    if (count === maximumPages && page) throw endless(connection.host);
  }
  return { tags, entityTag };
}

export interface TagPageRequest {
  limit: number;
  last: string | undefined;
}

/**
 * At most `limit` tags that come after `last`. Also of a server that knows no pages, as Distribution
 * 2, or answers with smaller ones.
 */
export async function listTagPage(
  connection: Connection,
  repository: string,
  { limit, last }: TagPageRequest,
  { signal }: Call,
): Promise<{ names: string[]; more: boolean }> {
  const query = new URLSearchParams({ n: String(limit), ...(last === undefined ? {} : { last }) });
  let page: URL | undefined = connection.urlOf(`${repository}/tags/list?${query}`);
  const names: string[] = [];
  for (let count = 1; page !== undefined && names.length <= limit; count++) {
    const answer = await pageOf(connection, page, repository, undefined, signal);
    if (answer === undefined) break;
    const tags = await tagsIn(answer, connection.host);
    for (const tag of tags) if (last === undefined || tag > last) names.push(tag);
    page = nextPage(answer.headers.link, page);
    if (count === maximumPages && page) throw endless(connection.host);
  }
  const more = names.length > limit || (page !== undefined && names.length === limit);
  return { names: names.sort().slice(0, limit), more };
}

async function pageOf(
  connection: Connection,
  url: URL,
  repository: string,
  unlessMatch: string | undefined,
  signal: AbortSignal,
): Promise<HttpAnswer | undefined> {
  const answer = await connection.send(
    {
      what: `list the tags of ${repository}`,
      missing: "NAME_UNKNOWN",
      scope: pullScope(repository),
      url,
      headers: unlessMatch === undefined ? {} : { "if-none-match": unlessMatch },
      accept: [200, 304],
    },
    { signal },
  );
  if (answer.status === 200) return answer;
  answer.discard();
  return undefined;
}

async function tagsIn(answer: HttpAnswer, host: string): Promise<string[]> {
  const text = (await collectFrom(answer, maximumPageBytes, host)).toString();
  try {
    return v.parse(TagPage, JSON.parse(text)).tags ?? [];
  } catch (error) {
    throw new OciError("UNKNOWN", `${host} answered with something that is no list of tags`, {
      cause: error,
      hint: `check that ${host} is an OCI registry, and what a proxy before it answers`,
    });
  }
}

function endless(host: string): OciError {
  return new OciError("UNKNOWN", `${host} lists tags without end`, {
    hint: "follow a repository with fewer tags, or repair the registry's paging",
  });
}
