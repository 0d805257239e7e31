import type { Attachment } from "../release.ts";
import type { SignedMaterial } from "./signed-material.ts";

const simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json";
const envelope = "application/vnd.dsse.envelope.v1+json";
const bundle = /^application\/vnd\.dev\.sigstore\.bundle[.+]/;

/** Cosign's own names for what does not stand in the payload. */
const keys = {
  signature: "dev.cosignproject.cosign/signature",
  certificate: "dev.sigstore.cosign/certificate",
  logEntry: "dev.sigstore.cosign/bundle",
  timestamp: "dev.sigstore.cosign/rfc3161timestamp",
} as const;

/** A signature or attestation, in any form that cosign and GitHub give it; `undefined` for others. */
export function materialFrom(attachment: Attachment): SignedMaterial | undefined {
  const { subject, mediaType, annotations, bytes } = attachment;
  const found = {
    place: `what is attached to ${subject}`,
    attachedTo: subject,
    papers: {
      certificate: annotations[keys.certificate],
      logEntry: annotations[keys.logEntry],
      timestamp: annotations[keys.timestamp],
    },
  };
  if (bundle.test(mediaType)) return { form: "bundle", ...found, text: bytes.toString("utf8") };
  if (mediaType === envelope) return { form: "envelope", ...found, text: bytes.toString("utf8") };
  if (mediaType !== simpleSigning) return undefined;
  const signature = annotations[keys.signature] ?? "";
  return { form: "simple-signing", ...found, payload: bytes, signature };
}
