import * as v from "valibot";
import { collect } from "../../base/bytes.ts";
import { OciError } from "../../oci/error.ts";
import { isBusy, type RunState } from "../garbage/runs.ts";
import { bodyOf, type Inquiry } from "./exchange.ts";

const maximumBytes = 4_096;

/** What the body asks for, which need not ask for anything. `example` is one that is right. */
export async function wishIn<const Wish extends v.ObjectEntries>(
  { request }: Inquiry,
  entries: Wish,
  example: string,
): Promise<v.InferOutput<v.StrictObjectSchema<Wish, undefined>>> {
  const text = (await collect(bodyOf(request), maximumBytes)).toString().trim();
  const schema = v.pipe(v.string(), v.parseJson(), v.strictObject(entries));
  const result = v.safeParse(schema, text === "" ? "{}" : text);
  if (result.success) return result.output;
  const why = `the body may be such as ${example}`;
  throw new OciError("UNSUPPORTED", why, { status: 400, detail: result.issues[0].message });
}

/** @throws {OciError} when another one is at work */
export async function started<State>(start: () => Promise<State>): Promise<State> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof Error && isBusy(error))) throw error;
    throw new OciError("UNAVAILABLE", error.message, { status: 409, cause: error });
  }
}

/** @param kind such as "collection" */
export function known<State>(state: State | undefined, kind: string, id: string): State {
  if (state !== undefined) return state;
  const why = `there was no such ${kind} since this registry was started`;
  throw new OciError("UNKNOWN", why, { status: 404, detail: { id } });
}

/** What there is to be told of any of them. */
export function runDocument({ id, status, beganAt, endedAt, actor, problem }: RunState) {
  return {
    ...{ id, status, beganAt, endedAt: endedAt ?? null },
    ...{ actor: actor ?? null, problem: problem ?? null },
  };
}
