import { type Call, isEchoOf } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Descriptor } from "../../oci/manifest.ts";
import type { Catalog } from "../images/catalog.ts";
import type { ImageStore } from "../images/image-store.ts";
import type { Page, PageRequest } from "../images/page.ts";
import type { Referrer } from "../images/referrers.ts";
import { isAbsence } from "./stale.ts";
import type { Place } from "./upstream.ts";

const maximumReferrers = 10_000;

/** The tags its registry lists, or those that are stored when it cannot be asked. */
export async function mirroredTags(
  { upstream, repository, remote }: Place,
  request: PageRequest,
  store: ImageStore,
  call: Call,
): Promise<Page | undefined> {
  try {
    return await upstream.ask(call, async (client) => {
      if (Number.isFinite(request.limit)) return await client.tagPage(remote, request, call);
      const { last = "" } = request;
      const all = (await client.tags(remote, call))?.tags ?? [];
      return { names: all.filter((tag) => tag > last).sort(), more: false };
    });
  } catch (error) {
    if (isAbsence(error)) return undefined;
    if (isEchoOf(call.signal, error)) throw error;
    const stored = await store.tags.list(repository, request, call);
    if (stored === undefined) throw error;
    return { ...stored, warning: `${upstream.name} cannot be asked; these tags are stored here` };
  }
}

/** What its registry says refers to `subject`, or what of it is stored, as with tags. */
export async function* mirroredReferrers(
  { upstream, repository, remote }: Place,
  subject: Digest,
  store: ImageStore,
  call: Call & { last: string | undefined },
): AsyncGenerator<Referrer> {
  const found: Referrer[] = [];
  try {
    await upstream.ask(call, async (client) => {
      for await (const each of client.referrers(remote, { subject }, call)) {
        if (found.length < maximumReferrers) found.push(referrerOf(each));
      }
    });
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    if (!isAbsence(error)) yield* store.referrers.list(repository, subject, call);
    return;
  }
  const { last = "" } = call;
  yield* found.filter(({ digest }) => digest > last).sort((a, b) => (a.digest < b.digest ? -1 : 1));
}

/** One catalog of two: names that are in both come once. */
export function joinedCatalog(one: Catalog, other: Catalog): Catalog {
  return {
    async list(request, call) {
      const pages = await Promise.all([one.list(request, call), other.list(request, call)]);
      const names = [...new Set(pages.flatMap((page) => page.names))].sort(byElements);
      const more = names.length > request.limit || pages.some((page) => page.more);
      return { names: names.slice(0, request.limit), more };
    },

    async *walk(last, call) {
      const walks = [one.walk(last, call), other.walk(last, call)];
      const iterators = walks.map((walk) => walk[Symbol.asyncIterator]());
      const next = await Promise.all(iterators.map((iterator) => iterator.next()));
      for (;;) {
        const names = next.flatMap(({ done, value }) => (done ? [] : [value]));
        const [first] = names.sort(byElements);
        if (first === undefined) return;
        yield first;
        for (const [place, iterator] of iterators.entries()) {
          const head = next[place];
          if (!head?.done && head?.value === first) next[place] = await iterator.next();
        }
      }
    },
  };
}

/** Distribution's order: name by name, so `a/b` comes before `a-b`. */
function byElements(one: string, other: string): number {
  const [a, b] = [one.replaceAll("/", "\0"), other.replaceAll("/", "\0")];
  return a < b ? -1 : Number(a > b);
}

function referrerOf({ mediaType, digest, size, artifactType, annotations }: Descriptor): Referrer {
  return {
    ...{ mediaType, digest, size },
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
