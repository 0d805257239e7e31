import { createReadStream } from "node:fs";
import { type Bytes, streamOf } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import { ConfigError } from "../../base/errors.ts";
import { digestOf } from "../../oci/digest.ts";
import { materialFrom } from "../sigstore/attached-material.ts";
import { pemIn } from "../sigstore/cosign-papers.ts";
import { isPem, publicKeysIn } from "../sigstore/public-key.ts";
import { judge, type Refusal, type SignedSubject } from "../sigstore/signatures.ts";
import type { SignedMaterial } from "../sigstore/signed-material.ts";
import {
  demandedOf,
  predicateTypeFor,
  type SignaturePolicy,
  type Signers,
} from "../sigstore/signer-policy.ts";
import { openTrustRoot } from "../sigstore/trust-root.ts";
import { checksumSources, compare } from "./checksum.ts";
import type { Finding, Siblings, SignatureKind, Subject, Trust } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

/** As cosign, GoReleaser and GitHub's own tools call them. */
const bundleEndings = [".sigstore.json", ".sigstore", ".bundle", ".cosign.bundle"];
const certificateEndings = [".pem", ".cert", ".crt"];
/** DSSE envelopes or bundles, one a line: SLSA's generators. */
const linesEnding = ".intoto.jsonl";
const namedRefusals = 5;

/**
 * What cosign signs and GitHub attests: attached to the artifact in its registry, beside it as a
 * file, or beside a checksum file that names it. Of several, one that fits is enough.
 */
export const sigstore: SignatureKind = {
  name: "sigstore",

  takes: ({ bytes }) => isPem(bytes.toString("latin1")),

  async open(trust) {
    const signers = await signersIn(trust);
    if (signers === undefined) return undefined;
    const { predicateType: wanted } = trust;
    const policy = { signers, predicateType: wanted && predicateTypeFor(wanted) };
    return (subject, call) => findingIn(subject, policy, call);
  },
};

async function signersIn({ keys, certificate }: Trust): Promise<Signers | undefined> {
  if (certificate === undefined) {
    const all = keys.flatMap(({ origin, bytes }) => publicKeysIn(bytes.toString(), origin));
    return all.length > 0 ? { kind: "keys", keys: all } : undefined;
  }
  const [key] = keys;
  if (key) {
    throw new ConfigError(`--verify-key: ${key.origin} and --verify-identity are both given`, {
      hint: "trust either a key of cosign or an identity, and leave the other out",
    });
  }
  const { identity, issuer, trustRoot } = certificate;
  const { origin, bytes } = trustRoot;
  const opened = await openTrustRoot(bytes.toString(), `--verify-trust-root: ${origin}`);
  return { kind: "identity", trustRoot: opened, identity, issuer };
}

async function findingIn(
  subject: Subject,
  policy: SignaturePolicy,
  call: Call,
): Promise<Finding | undefined> {
  const { artifact, file, siblings } = subject;
  const refusals: Refusal[] = [];
  const first = async (materials: AsyncIterable<SignedMaterial>, about: SignedSubject) => {
    const verdict = await judge(materials, about, policy);
    if (verdict.accepted) {
      const { place, signer, reference, predicateType, signedAt } = verdict.accepted;
      const what = [predicateType, reference && `of ${reference}`].filter(Boolean).join(" ");
      const checked = what === "" ? place : `${place}, ${what}`;
      return { checked, by: signer, ...(signedAt && { signedAt }) };
    }
    refusals.push(...verdict.refusals);
    return undefined;
  };

  const open = () => createReadStream(file.path, { signal: call.signal });
  const own = await first(materialsOf(subject, call), { digest: file.digest, open });
  if (own) return own;
  for (const source of await checksumSources(subject, call)) {
    const { name, bytes } = source;
    const about = { digest: digestOf(bytes), open: () => streamOf(bytes) as Bytes };
    const found = await first(materialsBeside(name, siblings, call), about);
    if (found === undefined) continue;
    await compare(source, subject, call);
    return found;
  }
  if (refusals.length === 0) return undefined;
  throw refused(artifact.name, subject.release.tag, refusals, policy);
}

async function* materialsOf(
  { artifact, siblings }: Subject,
  call: Call,
): AsyncGenerator<SignedMaterial> {
  for await (const attachment of siblings.attachments(call)) {
    const material = materialFrom(attachment);
    if (material) yield material;
  }
  yield* materialsBeside(artifact.name, siblings, call);
}

async function* materialsBeside(
  name: string,
  siblings: Siblings,
  call: Call,
): AsyncGenerator<SignedMaterial> {
  for (const ending of bundleEndings) {
    const text = await read(`${name}${ending}`);
    if (text) yield { form: "bundle", place: `${name}${ending}`, papers: {}, text };
  }
  const lines = (await read(`${name}${linesEnding}`))?.split("\n") ?? [];
  for (const text of lines.filter((line) => line.trim() !== "")) {
    const form = text.includes('"dsseEnvelope"') ? "bundle" : "envelope";
    yield { form, place: `${name}${linesEnding}`, papers: {}, text };
  }
  const signature = (await read(`${name}.sig`))?.trim();
  // GnuPG calls its signatures the same, and they are not in base64.
  if (signature === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(signature)) return;
  yield { form: "detached", place: `${name}.sig`, papers: await papers(), signature };

  async function read(sibling: string): Promise<string | undefined> {
    return (await siblings.read(sibling, call))?.toString("utf8");
  }

  async function papers(): Promise<{ certificate?: string }> {
    for (const ending of certificateEndings) {
      const text = await read(`${name}${ending}`);
      if (text) return { certificate: pemIn(text) };
    }
    return {};
  }
}

function refused(
  name: string,
  tag: string,
  refusals: readonly Refusal[],
  policy: SignaturePolicy,
): VerifyError {
  const found = refusals.slice(0, namedRefusals).map(({ place, reason }) => `${place}: ${reason}`);
  const more = refusals.length - found.length;
  const all = [...found, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
  const message = `${name} of ${tag}: expected ${demandedOf(policy)}, found ${all}`;
  if (refusals.every(({ isAside }) => isAside)) {
    return new VerifyError("MISSING", message, { hint: "publish what is expected, too" });
  }
  return new VerifyError("UNTRUSTED", message, {
    hint: "find out who signed it; publish it again, or name the new signer if it is a good one",
  });
}
