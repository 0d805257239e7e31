import * as v from "valibot";
import type { CollectionState, Collections } from "../garbage/collections.ts";
import { type Inquiry, jsonAnswer, type Methods } from "./exchange.ts";
import { ownPath } from "./own-routes.ts";
import { known, runDocument, started, wishIn } from "./runs.ts";

interface CollectionParts {
  collections: Collections;
}

const YesOrNo = v.boolean("write true or false");
const wish = { dryRun: v.optional(YesOrNo), deleteUntagged: v.optional(YesOrNo) };
const example = '{"dryRun": true, "deleteUntagged": false}';

/** `/api/v1/garbage/collections` */
export function collectionsMethods(inquiry: Inquiry, { collections }: CollectionParts): Methods {
  return {
    async POST() {
      const wished = await wishIn(inquiry, wish, example);
      const actor = inquiry.grant.user;
      const state = await started(() => collections.start({ ...wished, actor }));
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
      return jsonAnswer(200, documentOf(known(collections.find(id), "collection", id)));
    },
  };
}

function documentOf(state: CollectionState) {
  const { dryRun, deleteUntagged, repositories, totals, items } = state;
  const eligible = totals.manifests + totals.layerLinks + totals.blobs;
  const itemsLeftOut = Math.max(0, eligible - items.length);
  return {
    ...{ ...runDocument(state), dryRun, deleteUntagged },
    ...{ repositories, totals, items, itemsLeftOut },
  };
}
