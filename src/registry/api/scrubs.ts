import * as v from "valibot";
import type { ScrubState, Scrubs } from "../garbage/scrubs.ts";
import { type Inquiry, jsonAnswer, type Methods } from "./exchange.ts";
import { ownPath } from "./own-routes.ts";
import { known, runDocument, started, wishIn } from "./runs.ts";

interface ScrubParts {
  scrubs: Scrubs;
}

const wish = { setAside: v.optional(v.boolean("write true or false")) };

/** `/api/v1/scrubs` */
export function scrubsMethods(inquiry: Inquiry, { scrubs }: ScrubParts): Methods {
  return {
    async POST() {
      const wished = await wishIn(inquiry, wish, '{"setAside": true}');
      const state = await started(() => scrubs.start({ ...wished, actor: inquiry.grant.user }));
      const location = inquiry.locate(`${ownPath}/scrubs/${state.id}`);
      return jsonAnswer(202, documentOf(state), { location });
    },
  };
}

/** `/api/v1/scrubs/<id>`, or `current` */
export function scrubMethods({ id }: { id: string }, { scrubs }: ScrubParts): Methods {
  return {
    async GET() {
      return jsonAnswer(200, documentOf(known(scrubs.find(id), "scrub", id)));
    },
  };
}

function documentOf(state: ScrubState) {
  const { setAside, part, totals } = state;
  const items = state.items.map(({ digest, actual, isAside, repositories }) => ({
    ...{ digest, actual: actual ?? null, setAside: isAside, repositories },
  }));
  const itemsLeftOut = totals.rotten - items.length;
  return { ...runDocument(state), setAside, part, totals, items, itemsLeftOut };
}
