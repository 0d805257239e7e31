import type { Bundle, SerializedBundle } from "@sigstore/bundle";
import type { SignedEntity, TrustMaterial, Verifier } from "@sigstore/verify";
import { ConfigError, messageOf } from "../../base/errors.ts";
import { SignatureRefusal } from "./signed-material.ts";
import type { SignedMessage } from "./signed-message.ts";

/** Who a certificate says has signed. */
export interface KeylessSigner {
  /** A mail address or a URL, such as that of a workflow. */
  identity: string | undefined;
  /** Who vouched for it: the URL of an OpenID Connect provider. */
  issuer: string | undefined;
  /** The earliest time that a log or a timestamp vouches for. */
  signedAt: Date | undefined;
}

/** The certificate authorities and logs that keyless signatures are held against. */
export interface TrustRoot {
  /**
   * Who signed, when certificate, logs, time and signature are all in order. `message` is what the
   * signature is over, for a bundle that has no envelope.
   *
   * @throws {SignatureRefusal}
   */
  verify(bundle: unknown, message: SignedMessage | undefined): KeylessSigner;
}

/**
 * Sigstore's `trusted_root.json`, or several of them, one a line, as GitHub's own tool prints them:
 * any of them may have vouched. Each log that one names is demanded of what it vouches for.
 *
 * @throws {ConfigError} for a file of another kind
 */
export async function openTrustRoot(text: string, place: string): Promise<TrustRoot> {
  const [{ bundleFromJSON }, library, { TrustedRoot }] = await Promise.all([
    import("@sigstore/bundle"),
    import("@sigstore/verify"),
    import("@sigstore/protobuf-specs"),
  ]);
  const materials = documentsIn(text, place).map((document) => materialIn(document));
  const verifiers = materials.map((material) => verifierFor(material));
  return {
    verify(document, message) {
      const bundle = parsed(document);
      const refusals: unknown[] = [];
      for (const verifier of verifiers) {
        try {
          return verifiedBy(verifier, bundle, message);
        } catch (error) {
          refusals.push(error);
        }
      }
      throw nearest(refusals);
    },
  };

  function materialIn(document: unknown): TrustMaterial {
    try {
      const material = library.toTrustMaterial(TrustedRoot.fromJSON(document));
      if (material.certificateAuthorities.length > 0) return material;
    } catch (cause) {
      throw notATrustRoot(place, cause);
    }
    throw notATrustRoot(place);
  }

  function verifierFor(material: TrustMaterial): Verifier {
    return new library.Verifier(material, {
      tlogThreshold: material.tlogs.length > 0 ? 1 : 0,
      ctlogThreshold: material.ctlogs.length > 0 ? 1 : 0,
      timestampThreshold: 1,
    });
  }

  function parsed(document: unknown): Bundle {
    const bundle = read(document);
    if (bundle.verificationMaterial.content.$case !== "publicKey") return bundle;
    throw new SignatureRefusal("it was made by a key, and a certificate is demanded", {
      isAside: true,
    });
  }

  function read(document: unknown): Bundle {
    try {
      return bundleFromJSON(document as SerializedBundle);
    } catch (error) {
      throw new SignatureRefusal(`its bundle cannot be read (${messageOf(error)})`);
    }
  }

  function verifiedBy(
    verifier: Verifier,
    bundle: Bundle,
    message: SignedMessage | undefined,
  ): KeylessSigner {
    const entity = library.toSignedEntity(bundle);
    const { identity } = verifier.verify({ ...entity, ...signatureOf(bundle, message) });
    return {
      identity: identity?.subjectAlternativeName,
      issuer: identity?.extensions?.issuer,
      signedAt: earliest(entity),
    };
  }
}

/** Of the times that the verifier has found to hold. */
function earliest({ timestamps }: SignedEntity): Date | undefined {
  const times = timestamps.flatMap((one) => {
    if (one.$case === "timestamp-authority") return one.timestamp.signingTime.getTime();
    return one.tlogEntry.inclusionPromise ? Number(one.tlogEntry.integratedTime) * 1000 : [];
  });
  return times.length > 0 ? new Date(Math.min(...times)) : undefined;
}

/** Instead of the library's own, which wants the whole artifact in memory. */
function signatureOf(
  { content }: Bundle,
  message: SignedMessage | undefined,
): Pick<SignedEntity, "signature"> | undefined {
  if (content.$case !== "messageSignature") return undefined;
  if (message === undefined) throw new SignatureRefusal("it is not over what was found with it");
  const { signature } = content.messageSignature;
  return {
    signature: {
      signature,
      compareDigest: (digest) => digest.equals(message.digest),
      compareSignature: (other) => other.equals(signature),
      verifySignature: (key) => message.isSignedBy(key, signature),
    },
  };
}

function documentsIn(text: string, place: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch (whole) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    try {
      return lines.map((line) => JSON.parse(line));
    } catch {
      throw notATrustRoot(place, whole);
    }
  }
}

function notATrustRoot(place: string, cause?: unknown): ConfigError {
  return new ConfigError(
    `${place} is no trusted_root.json of Sigstore with a certificate authority`,
    {
      cause,
      hint: "write it by: cosign trusted-root create, or gh attestation trusted-root",
    },
  );
}

const sayings: readonly [RegExp, string][] = [
  [/^TIMESTAMP_/, "nothing proves that it was signed while its certificate was valid"],
  [/^CERTIFICATE_/, "its certificate is of no authority in the trust root"],
  [/^TLOG_BODY/, "its entry in the transparency log is of another signature"],
  [/^TLOG_/, "its entry in the transparency log is not vouched for by a log of the trust root"],
  [/^SIGNATURE_/, "the signature is over something else"],
];

/** The one that came furthest says most. */
function nearest(refusals: readonly unknown[]): SignatureRefusal {
  const [first] = refusals.toSorted((a, b) => placeOf(b) - placeOf(a));
  if (first instanceof SignatureRefusal) return first;
  const saying = sayings[placeOf(first)]?.[1] ?? "it cannot be verified";
  return new SignatureRefusal(`${saying} (${reasonsOf(first)})`, { cause: first });
}

function placeOf(error: unknown): number {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return sayings.findIndex(([pattern]) => pattern.test(code));
}

function reasonsOf(error: unknown): string {
  const own = messageOf(error);
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? own : `${own}: ${messageOf(cause)}`;
}
