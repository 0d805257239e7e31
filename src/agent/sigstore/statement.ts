import * as v from "valibot";
import type { Digest } from "../../oci/digest.ts";
import { SignatureRefusal } from "./signed-material.ts";

const payloadType = "application/vnd.in-toto+json";

/** in-toto's Statement, versions 0.1 and 1: what is said of which artifacts. */
const Statement = v.object({
  subject: v.array(
    v.object({
      name: v.nullish(v.string()),
      digest: v.record(v.string(), v.string()),
    }),
  ),
  predicateType: v.string(),
});

export interface Statement {
  digests: readonly Digest[];
  predicateType: string;
}

/** DSSE, "PAE": what is signed of an envelope. */
export function signedBytes(type: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** @throws {SignatureRefusal} */
export function statementIn(type: string, payload: Uint8Array): Statement {
  if (type !== payloadType) throw new SignatureRefusal(`it holds ${type}, not ${payloadType}`);
  const result = v.safeParse(Statement, jsonIn(payload, "its statement"));
  if (!result.success) throw new SignatureRefusal("its statement is not in the words of in-toto");
  const { subject, predicateType } = result.output;
  const digests = subject.flatMap(({ digest }) =>
    Object.entries(digest)
      .filter(([algorithm]) => algorithm === "sha256" || algorithm === "sha512")
      .map(([algorithm, hex]) => `${algorithm}:${hex}` as Digest),
  );
  return { digests, predicateType };
}

/** @throws {SignatureRefusal} */
export function jsonIn(bytes: Uint8Array | string, what: string): unknown {
  try {
    return JSON.parse(typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("utf8"));
  } catch {
    throw new SignatureRefusal(`${what} is not JSON`);
  }
}
