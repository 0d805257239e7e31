import * as v from "valibot";
import { collect } from "../../base/bytes.ts";
import { OciError } from "../../oci/error.ts";
import type { CollectionState, Collections, CollectionWish } from "../garbage/collections.ts";
import { GarbageError } from "../garbage/garbage-error.ts";
import { bodyOf, type Inquiry, jsonAnswer, type Methods } from "./exchange.ts";
import { ownPath } from "./own-routes.ts";

interface CollectionParts {
  collections: Collections;
}

const maximumBytes = 4_096;
const YesOrNo = v.boolean("write true or false");
const Wish = v.strictObject({
  dryRun: v.optional(YesOrNo),
  deleteUntagged: v.optional(YesOrNo),
});

/** `/api/v1/garbage/collections` */
export function collectionsMethods(inquiry: Inquiry, { collections }: CollectionParts): Methods {
  return {
    async POST() {
      const state = await started(await wishIn(inquiry), inquiry, collections);
      const location = inquiry.locate(`${ownPath}/garbage/collections/${state.id}`);
      return jsonAnswer(202, documentOf(state), { location });
    },
  };
}

/** `/api/v1/garbage/collections/<id>`, or `current` */
export function collectionMethods(
  { id }: { id: string },
  { collections }: CollectionParts,
): Methods {
  return {
    async GET() {
      const state = collections.find(id);
      if (state !== undefined) return jsonAnswer(200, documentOf(state));
      const why = "there was no such collection since this registry was started";
      throw new OciError("UNKNOWN", why, { status: 404, detail: { id } });
    },
  };
}

async function started(
  wish: CollectionWish,
  { grant }: Inquiry,
  collections: Collections,
): Promise<CollectionState> {
  try {
    return await collections.start({ ...wish, actor: grant.user });
  } catch (error) {
    if (!(error instanceof GarbageError && error.code === "BUSY")) throw error;
    throw new OciError("UNAVAILABLE", error.message, { status: 409, cause: error });
  }
}

async function wishIn({ request }: Inquiry): Promise<CollectionWish> {
  const text = (await collect(bodyOf(request), maximumBytes)).toString().trim();
  if (text === "") return {};
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), Wish), text);
  if (result.success) return result.output;
  const why = 'the body may be such as {"dryRun": true, "deleteUntagged": false}';
  throw new OciError("UNSUPPORTED", why, { status: 400, detail: result.issues[0].message });
}

function documentOf(state: CollectionState) {
  const { id, status, beganAt, endedAt, actor, dryRun, deleteUntagged } = state;
  const { repositories, totals, items, problem } = state;
  const eligible = totals.manifests + totals.layerLinks + totals.blobs;
  return {
    ...{ id, status, dryRun, deleteUntagged, beganAt },
    ...{ endedAt: endedAt ?? null, actor: actor ?? null, problem: problem ?? null },
    ...{ repositories, totals, items, itemsLeftOut: Math.max(0, eligible - items.length) },
  };
}
