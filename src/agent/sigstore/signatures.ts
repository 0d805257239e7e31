import type { KeyObject } from "node:crypto";
import type { Bytes } from "../../base/bytes.ts";
import { messageOf as sentenceOf } from "../../base/errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { contentIn, type SignedContent } from "./signed-content.ts";
import { SignatureRefusal, type SignedMaterial } from "./signed-material.ts";
import {
  isEdwards,
  messageIn,
  messageOf,
  type SignedMessage,
  wholeMessageIn,
} from "./signed-message.ts";
import { isSigner, isSufficient, type SignaturePolicy } from "./signer-policy.ts";
import { imageIn } from "./simple-signing.ts";
import { signedBytes, statementIn } from "./statement.ts";

const longestReason = 500;

/** What must have been signed. */
export interface SignedSubject {
  /** Of the artifact. A signature of what it is attached to is for the artifact, too. */
  digest: Digest;
  /** The artifact's own bytes, where there are any: read once for each signature over them. */
  open: (() => Bytes) | undefined;
}

/** A signature that holds, by somebody who is trusted, for what was asked about. */
export interface AcceptedSignature {
  place: string;
  /** The key's name, or identity and issuer. */
  signer: string;
  /** The kind of the attestation; `undefined` for a plain signature. */
  predicateType: string | undefined;
  /** The name that the signer knew the image by, where the signature has one. */
  reference: string | undefined;
  /** As a log or a timestamp vouches for it; a key alone cannot. */
  signedAt: Date | undefined;
}

/** Why something that was found does not count. */
export interface Refusal {
  place: string;
  reason: string;
  /** There is nothing wrong with it, only that it is not what is demanded. */
  isAside: boolean;
}

/** What came of all that was found: the first that counts, or why none does, in the order found. */
export type Verdict =
  | { accepted: AcceptedSignature }
  | { accepted: undefined; refusals: Refusal[] };

/** Holds what was found against the policy, one by one, until one counts. */
export async function judge(
  materials: AsyncIterable<SignedMaterial>,
  subject: SignedSubject,
  policy: SignaturePolicy,
): Promise<Verdict> {
  const refusals: Refusal[] = [];
  for await (const material of materials) {
    const { place } = material;
    try {
      return { accepted: { place, ...(await accepted(material, subject, policy)) } };
    } catch (error) {
      if (!(error instanceof SignatureRefusal)) throw error;
      refusals.push({ place, reason: shown(error.message), isAside: error.isAside });
    }
  }
  return { accepted: undefined, refusals };
}

/** In one line of a bearable length: part of it was written by whoever signed. */
function shown(reason: string): string {
  const line = reason.replace(/\p{Cc}+/gu, " ");
  return line.length > longestReason ? `${line.slice(0, longestReason)}…` : line;
}

async function accepted(
  material: SignedMaterial,
  subject: SignedSubject,
  policy: SignaturePolicy,
): Promise<Omit<AcceptedSignature, "place">> {
  const signed = contentIn(material);
  const { name: signer, signedAt } = await signerOf(signed, subject, policy);
  const { digests, predicateType, reference } = claimOf(signed);
  if (
    digests &&
    !digests.some((digest) => digest === subject.digest || digest === material.attachedTo)
  ) {
    const named = reference ? ` (${reference})` : "";
    throw new SignatureRefusal(
      `it is for ${digests.join(", ") || "nothing"}${named}, by ${signer}`,
    );
  }
  if (!isSufficient(predicateType, policy)) {
    const what =
      predicateType === undefined
        ? "is a signature without an attestation"
        : `attests ${predicateType}`;
    throw new SignatureRefusal(`it ${what}, by ${signer}`, { isAside: true });
  }
  return { signer, predicateType, reference, signedAt };
}

interface Claim {
  /** `undefined`: the artifact's bytes themselves were signed. */
  digests: readonly Digest[] | undefined;
  predicateType: string | undefined;
  reference: string | undefined;
}

function claimOf({ content }: SignedContent): Claim {
  if (content.kind === "artifact") {
    return { digests: undefined, predicateType: undefined, reference: undefined };
  }
  if (content.kind === "image") {
    const { digest, reference } = imageIn(content.payload);
    return { digests: [digest], predicateType: undefined, reference: reference || undefined };
  }
  return { ...statementIn(content.type, content.payload), reference: undefined };
}

/** @throws {SignatureRefusal} when it is nobody who is trusted */
async function signerOf(
  signed: SignedContent,
  subject: SignedSubject,
  { signers }: SignaturePolicy,
): Promise<{ name: string; signedAt: Date | undefined }> {
  if (signers.kind === "identity") {
    if (signed.bundle === undefined) {
      throw new SignatureRefusal("it was made by a key, and a certificate is demanded", {
        isAside: true,
      });
    }
    const message = await signedMessage(signed, subject);
    const found = signers.trustRoot.verify(signed.bundle, message);
    const name = `${found.identity ?? "nobody"} (${found.issuer ?? "vouched for by nobody"})`;
    if (isSigner(found, signers)) return { name, signedAt: found.signedAt };
    throw new SignatureRefusal(`it is of ${name}`);
  }
  for (const { key, name } of signers.keys) {
    const message = await signedMessage(signed, subject, key);
    if (message.isSignedBy(key, signed.signature)) return { name, signedAt: undefined };
  }
  if (signed.isByCertificate) {
    throw new SignatureRefusal("it was made by a certificate, and a key is demanded", {
      isAside: true,
    });
  }
  throw new SignatureRefusal("another key made it, or it is over something else");
}

async function signedMessage(
  { content }: SignedContent,
  { open }: SignedSubject,
  key?: KeyObject,
): Promise<SignedMessage> {
  if (content.kind === "image") return messageOf(content.payload);
  if (content.kind === "statement") return messageOf(signedBytes(content.type, content.payload));
  if (open === undefined) throw new SignatureRefusal("it is over a file, and there is none");
  return key && isEdwards(key) ? wholeMessage(open()) : messageIn(open());
}

async function wholeMessage(bytes: Bytes): Promise<SignedMessage> {
  try {
    return await wholeMessageIn(bytes);
  } catch (error) {
    throw new SignatureRefusal(`Ed25519 over a whole file has a limit (${sentenceOf(error)})`);
  }
}
