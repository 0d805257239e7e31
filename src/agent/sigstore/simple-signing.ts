import * as v from "valibot";
import type { Digest } from "../../oci/digest.ts";
import { SignatureRefusal } from "./signed-material.ts";
import { jsonIn } from "./statement.ts";

/** What cosign signs of an image; the type is the newer one of cosign 3. */
const Payload = v.object({
  critical: v.object({
    identity: v.object({ "docker-reference": v.optional(v.string(), "") }),
    image: v.object({ "docker-manifest-digest": v.string() }),
    type: v.picklist(["cosign container image signature", "https://sigstore.dev/cosign/sign/v1"]),
  }),
});

/** The image that was signed: its digest, and the name that the signer knew it by. */
export interface SignedImage {
  digest: Digest;
  reference: string;
}

/** @throws {SignatureRefusal} */
export function imageIn(payload: Uint8Array): SignedImage {
  const result = v.safeParse(Payload, jsonIn(payload, "its payload"));
  if (!result.success) throw new SignatureRefusal("its payload is no signature of an image");
  const { identity, image } = result.output.critical;
  return {
    digest: image["docker-manifest-digest"] as Digest,
    reference: identity["docker-reference"],
  };
}
