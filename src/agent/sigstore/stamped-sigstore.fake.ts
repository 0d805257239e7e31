import { createHash, generateKeyPairSync } from "node:crypto";
import { initializeCA, initializeTSA } from "@sigstore/mock";
import { type FakeSigstore, issuerExtension, pair, signerWith } from "./sigstore.fake.ts";

const sha256 = "2.16.840.1.101.3.4.2.1";

/** A certificate authority without logs, and one of timestamps: as GitHub's for private repositories. */
export async function fakeStampedSigstore(): Promise<FakeSigstore> {
  const ca = await initializeCA(pair());
  const keys = generateKeyPairSync("ec", { namedCurve: "P-384" });
  // Within the ten minutes of any certificate of this test, and whole: fractions are written wrongly.
  const stamps = await initializeTSA(keys, new Date(Math.ceil(Date.now() / 1000) * 1000 + 120_000));
  const stamp = async (signature: string) => {
    const artifactHash = createHash("sha256").update(Buffer.from(signature, "base64")).digest();
    const asked = { artifactHash, hashAlgorithmOID: sha256, nonce: 1, policyOID: "1.2.3.4" };
    return (await stamps.timestamp({ ...asked, certReq: true })).toString("base64");
  };
  return {
    trustRoot: JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [],
      ctlogs: [],
      certificateAuthorities: [authorityOf("https://fulcio.test", [ca.rootCertificate])],
      timestampAuthorities: [
        authorityOf("https://timestamp.test", [stamps.intCertificate, stamps.rootCertificate]),
      ],
    }),

    async signer({ identity, issuer }) {
      const { publicKey, privateKey } = pair();
      const certificate = await ca.issueCertificate({
        publicKey: publicKey.export({ type: "spki", format: "der" }),
        subjectAltName: identity,
        extensions: [{ oid: issuerExtension, value: issuer }],
      });
      return signerWith({ key: privateKey, certificate, record: undefined, stamp });
    },
  };
}

function authorityOf(uri: string, certificates: readonly Buffer[]): object {
  return {
    subject: { organization: "sigstore.mock", commonName: "sigstore" },
    uri,
    certChain: {
      certificates: certificates.map((der) => ({ rawBytes: der.toString("base64") })),
    },
    validFor: { start: "2000-01-01T00:00:00Z" },
  };
}
