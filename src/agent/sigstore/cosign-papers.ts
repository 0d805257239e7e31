import * as v from "valibot";
import { SignatureRefusal, type SignerPapers } from "./signed-material.ts";
import { jsonIn } from "./statement.ts";

/** What Rekor promised, as cosign keeps it in annotations and in its older bundles of blobs. */
const LogEntry = v.object({
  SignedEntryTimestamp: v.string(),
  Payload: v.object({
    body: v.string(),
    integratedTime: v.number(),
    logIndex: v.number(),
    logID: v.string(),
  }),
});
const LogBody = v.object({ kind: v.string(), apiVersion: v.string() });
const Timestamp = v.object({ SignedRFC3161Timestamp: v.string() });
const BlobBundle = v.object({
  base64Signature: v.string(),
  cert: v.nullish(v.string()),
  rekorBundle: v.nullish(LogEntry),
});

/** The first version of Sigstore's bundle has room for what cosign wrote before there was one. */
const mediaType = "application/vnd.dev.sigstore.bundle+json;version=0.1";

/**
 * The papers of a signature in the form of Sigstore's bundle, with `content`; `undefined` for one
 * that has no certificate, and so was made by a key.
 *
 * @throws {SignatureRefusal}
 */
export function bundleWith(papers: SignerPapers, content: object): object | undefined {
  const { certificate, logEntry, timestamp } = papers;
  if (!certificate) return undefined;
  const timestamps = timestamp
    ? [{ signedTimestamp: checked(Timestamp, timestamp, "its timestamp").SignedRFC3161Timestamp }]
    : [];
  return {
    mediaType,
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes: derIn(certificate) }] },
      tlogEntries: logEntry ? [entryFrom(checked(LogEntry, logEntry, "its log entry"))] : [],
      timestampVerificationData: { rfc3161Timestamps: timestamps },
    },
    ...content,
  };
}

/** What `cosign sign-blob --bundle` wrote before version 3; `undefined` for any other JSON. */
export function blobBundleIn(
  document: unknown,
): { signature: string; papers: SignerPapers } | undefined {
  const result = v.safeParse(BlobBundle, document);
  if (!result.success) return undefined;
  const { base64Signature, cert, rekorBundle } = result.output;
  const papers = {
    certificate: cert ? pemIn(cert) : undefined,
    logEntry: rekorBundle ? JSON.stringify(rekorBundle) : undefined,
  };
  return { signature: base64Signature, papers };
}

/** A certificate as cosign writes it to a file: PEM, or that once more in base64. */
export function pemIn(text: string): string {
  return text.includes("-----BEGIN ") ? text : Buffer.from(text, "base64").toString("latin1");
}

function entryFrom({ SignedEntryTimestamp, Payload }: v.InferOutput<typeof LogEntry>): object {
  const body = Buffer.from(Payload.body, "base64").toString("utf8");
  const { kind, apiVersion } = checked(LogBody, body, "its log entry");
  return {
    logIndex: String(Payload.logIndex),
    logId: { keyId: Buffer.from(Payload.logID, "hex").toString("base64") },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(Payload.integratedTime),
    inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
    canonicalizedBody: Payload.body,
  };
}

/** The first certificate in `pem`: the signer's. In base64. */
function derIn(pem: string): string {
  const [, base64] = /-----BEGIN CERTIFICATE-----([\s\S]+?)-----END/.exec(pem) ?? [];
  if (base64 === undefined) throw new SignatureRefusal("its certificate is not in PEM");
  return base64.replace(/\s+/g, "");
}

function checked<const S extends v.GenericSchema>(
  schema: S,
  text: string,
  what: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, jsonIn(text, what));
  if (result.success) return result.output;
  throw new SignatureRefusal(`${what} is not as cosign writes it`);
}
