import type { KeyObject } from "node:crypto";
import { streamOf } from "../../base/bytes.ts";
import { digestOf } from "../../oci/digest.ts";
import { materialFrom } from "./attached-material.ts";
import { publicKeysIn } from "./public-key.ts";
import { judge } from "./signatures.ts";
import type { SignedMaterial } from "./signed-material.ts";
import type { SignaturePolicy } from "./signer-policy.ts";
import { type FakeSigner, payloadFor, statementFor } from "./sigstore.fake.ts";
import { openTrustRoot } from "./trust-root.ts";

export const file = Buffer.from("the artifact");
export const digest = digestOf(file);
export const manifest = digestOf("the manifest that names it");
export const other = digestOf("something else");
export const identity =
  "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.0.0";
export const issuer = "https://token.actions.githubusercontent.com";
export const provenance = "https://slsa.dev/provenance/v1";

export function byKey(...keys: KeyObject[]): SignaturePolicy {
  const pem = keys.map((key) => key.export({ type: "spki", format: "pem" })).join("");
  return {
    signers: { kind: "keys", keys: publicKeysIn(pem, "cosign.pub") },
    predicateType: undefined,
  };
}

export async function byIdentity(trustRoot: string, wanted = identity): Promise<SignaturePolicy> {
  const opened = await openTrustRoot(trustRoot, "trusted_root.json");
  return {
    signers: { kind: "identity", trustRoot: opened, identity: wanted, issuer },
    predicateType: undefined,
  };
}

export const judged = (materials: SignedMaterial[], policy: SignaturePolicy) =>
  judge(eachOf(materials), { digest, open: () => streamOf(file) }, policy);

export async function refusalOf(
  material: SignedMaterial,
  policy: SignaturePolicy,
): Promise<string> {
  const verdict = await judged([material], policy);
  if (verdict.accepted) throw new Error(`accepted by ${verdict.accepted.signer}`);
  return verdict.refusals.map(({ reason }) => reason).join();
}

async function* eachOf(materials: SignedMaterial[]) {
  yield* materials;
}

/** What is attached to a manifest, and what lies beside a file. */
export async function allForms(signer: FakeSigner): Promise<SignedMaterial[]> {
  const statement = statementFor(manifest);
  const { text, annotations } = await signer.envelopeOf(statement);
  const mediaType = "application/vnd.dsse.envelope.v1+json";
  const attachment = { subject: manifest, artifactType: undefined, mediaType, annotations };
  const envelope = materialFrom({ ...attachment, bytes: Buffer.from(text) });
  if (envelope === undefined) throw new Error("an envelope is material");
  return [
    await simple(signer, payloadFor(manifest)),
    envelope,
    await bundle(signer.attested(statement)),
    await bundle(signer.attested(statementFor(manifest, provenance))),
    await bundle(signer.bundleOf(file)),
    await olderBlobBundle(signer),
  ];
}

export async function simple(signer: FakeSigner, payload: Buffer) {
  const material = materialFrom({
    subject: manifest,
    artifactType: undefined,
    mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
    annotations: await signer.annotationsOf(payload),
    bytes: payload,
  });
  if (material?.form !== "simple-signing") throw new Error("a simple signature is material");
  return material;
}

export async function bundle(text: string | Promise<string>): Promise<SignedMaterial> {
  const found = { place: "a bundle", attachedTo: manifest, papers: {} };
  return { form: "bundle", ...found, text: await text };
}

/** As `cosign sign-blob --bundle` wrote it before version 3. */
async function olderBlobBundle(signer: FakeSigner): Promise<SignedMaterial> {
  const annotations = await signer.annotationsOf(file);
  const certificate = annotations["dev.sigstore.cosign/certificate"];
  const logEntry = annotations["dev.sigstore.cosign/bundle"];
  return bundle(
    JSON.stringify({
      base64Signature: annotations["dev.cosignproject.cosign/signature"],
      ...(certificate && { cert: Buffer.from(certificate).toString("base64") }),
      ...(logEntry && { rekorBundle: JSON.parse(logEntry) }),
    }),
  );
}
