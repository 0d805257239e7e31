import * as v from "valibot";
import { blobBundleIn, bundleWith } from "./cosign-papers.ts";
import { SignatureRefusal, type SignedMaterial } from "./signed-material.ts";
import { jsonIn } from "./statement.ts";

/** What was signed, by what, in one form for all that is found. */
export interface SignedContent {
  content:
    | { kind: "image"; payload: Uint8Array }
    | { kind: "statement"; type: string; payload: Buffer }
    | { kind: "artifact" };
  signature: Buffer;
  /** Sigstore's bundle; `undefined` for a signature by a key, which needs none. */
  bundle: unknown;
  isByCertificate: boolean;
}

/** DSSE in JSON. Of several signatures nobody could say which one is meant. */
const Envelope = v.object({
  payloadType: v.string(),
  payload: v.string(),
  signatures: v.pipe(v.array(v.object({ sig: v.string() })), v.length(1)),
});
/** Of Sigstore's bundle, what is looked at before its signer is. */
const BundleContent = v.union([
  v.object({ dsseEnvelope: Envelope }),
  v.object({ messageSignature: v.object({ signature: v.string() }) }),
]);
const KeyBundle = v.object({ verificationMaterial: v.object({ publicKey: v.object({}) }) });

/** @throws {SignatureRefusal} */
export function contentIn(material: SignedMaterial): SignedContent {
  switch (material.form) {
    case "simple-signing": {
      const { payload, signature } = material;
      return { content: { kind: "image", payload }, ...signedBy(material, signature) };
    }
    case "detached":
      return { content: { kind: "artifact" }, ...signedBy(material, material.signature) };
    case "envelope": {
      const document = jsonIn(material.text, "its envelope");
      const bundle = bundleWith(material.papers, { dsseEnvelope: document });
      const envelope = envelopeIn(checked(Envelope, document, "its envelope"));
      return { ...envelope, bundle, isByCertificate: bundle !== undefined };
    }
    case "bundle":
      return contentOfBundle(jsonIn(material.text, "its bundle"), material);
  }
}

function contentOfBundle(document: unknown, { place, attachedTo }: SignedMaterial): SignedContent {
  const older = blobBundleIn(document);
  if (older) return contentIn({ form: "detached", place, attachedTo, ...older });
  const content = checked(BundleContent, document, "its bundle");
  const isByCertificate = !v.is(KeyBundle, document);
  if ("dsseEnvelope" in content) {
    return { ...envelopeIn(content.dsseEnvelope), bundle: document, isByCertificate };
  }
  const signature = Buffer.from(content.messageSignature.signature, "base64");
  return { content: { kind: "artifact" }, signature, bundle: document, isByCertificate };
}

function envelopeIn(envelope: v.InferOutput<typeof Envelope>) {
  const payload = Buffer.from(envelope.payload, "base64");
  const [{ sig } = { sig: "" }] = envelope.signatures;
  return {
    content: { kind: "statement" as const, type: envelope.payloadType, payload },
    signature: Buffer.from(sig, "base64"),
  };
}

/** The digest that the library asks for is that of the message itself, computed when it is read. */
function signedBy({ papers }: SignedMaterial, signature: string) {
  const messageDigest = { algorithm: "SHA2_256", digest: Buffer.alloc(32).toString("base64") };
  const bundle = bundleWith(papers, { messageSignature: { messageDigest, signature } });
  const isByCertificate = bundle !== undefined;
  return { signature: Buffer.from(signature, "base64"), bundle, isByCertificate };
}

function checked<const S extends v.GenericSchema>(
  schema: S,
  document: unknown,
  what: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, document);
  if (result.success) return result.output;
  throw new SignatureRefusal(`${what} holds neither an envelope nor a signature`);
}
