import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { initializeCA, initializeTLog } from "@sigstore/mock";
import type { Digest } from "../../oci/digest.ts";
import { signedBytes } from "./statement.ts";

const logUrl = "https://rekor.test";
const statementType = "application/vnd.in-toto+json";
export const issuerExtension = "1.3.6.1.4.1.57264.1.8";

export const cosignPredicate = "https://sigstore.dev/cosign/sign/v1";

/** A certificate authority, a certificate log and a transparency log of their own. */
export interface FakeSigstore {
  /** As `trusted_root.json`. */
  trustRoot: string;
  /** Somebody with a certificate, who writes to the log unless told otherwise. */
  signer(who: { identity: string; issuer: string; logs?: boolean }): Promise<FakeSigner>;
}

/** Signs in all the forms that cosign has. */
export interface FakeSigner {
  /** Sigstore's bundle of a message. */
  bundleOf(message: Uint8Array): Promise<string>;
  /** Sigstore's bundle of a statement. */
  attested(statement: object): Promise<string>;
  /** The annotations that cosign 2 has beside a payload. */
  annotationsOf(payload: Uint8Array): Promise<Record<string, string>>;
  /** A statement as cosign 2 attaches it: the envelope, and the annotations. */
  envelopeOf(statement: object): Promise<{ text: string; annotations: Record<string, string> }>;
}

/** `logAt` is the time that the log writes down; certificates are valid for ten minutes from now. */
export async function fakeSigstore({ logAt }: { logAt?: Date } = {}): Promise<FakeSigstore> {
  const [caKeys, ctKeys, logKeys] = [pair(), pair(), pair()];
  const ctLog = certificateLog(ctKeys);
  const ca = await initializeCA(caKeys, ctLog);
  const log = await initializeTLog(logUrl, logKeys, logAt);
  const logOf = (baseUrl: string, key: Buffer) => ({
    baseUrl,
    hashAlgorithm: "SHA2_256",
    publicKey: {
      rawBytes: key.toString("base64"),
      keyDetails: "PKIX_ECDSA_P256_SHA_256",
      validFor: { start: "2000-01-01T00:00:00Z" },
    },
    logId: { keyId: createHash("sha256").update(key).digest("base64") },
  });
  const trustRoot = JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [logOf(logUrl, log.publicKey)],
    ctlogs: [logOf("https://ctlog.test", ctLog.publicKey)],
    certificateAuthorities: [
      {
        subject: { organization: "sigstore.mock", commonName: "sigstore" },
        uri: "https://fulcio.test",
        certChain: { certificates: [{ rawBytes: ca.rootCertificate.toString("base64") }] },
        validFor: { start: "2000-01-01T00:00:00Z" },
      },
    ],
    timestampAuthorities: [],
  });

  return {
    trustRoot,
    async signer({ identity, issuer, logs = true }) {
      const keys = pair();
      const certificate = await ca.issueCertificate({
        publicKey: keys.publicKey.export({ type: "spki", format: "der" }),
        subjectAltName: identity,
        extensions: [{ oid: issuerExtension, value: issuer }],
      });
      const signing = { key: keys.privateKey, certificate };
      return signerWith({ ...signing, record: logs ? (entry) => log.log(entry) : undefined });
    },
  };
}

/** RFC 6962: the certificate is signed before this is put into it. */
function certificateLog({ publicKey, privateKey }: ReturnType<typeof pair>) {
  const key = publicKey.export({ type: "spki", format: "der" });
  const logID = createHash("sha256").update(key).digest();
  return {
    publicKey: key,
    logID,
    async log(certificate: ArrayBuffer, issuer: ArrayBuffer): Promise<ArrayBuffer> {
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(Date.now()));
      const body = elementAt(Buffer.from(certificate), headerLength(Buffer.from(certificate)));
      const entry = Buffer.concat([Buffer.from(issuer), lengthOf(body, 3), body]);
      const signed = Buffer.concat([
        Buffer.of(0, 0),
        time,
        Buffer.of(0, 1),
        entry,
        Buffer.of(0, 0),
      ]);
      const signature = sign("sha256", signed, privateKey);
      const kind = Buffer.of(0, 0, 4, 3); // no extensions, SHA-256, ECDSA
      const parts = [Buffer.of(0), logID, time, kind, lengthOf(signature, 2), signature];
      const stamp = Buffer.concat(parts);
      return new Uint8Array(Buffer.concat([lengthOf(stamp, 2), stamp])).buffer;
    },
  };
}

function lengthOf(bytes: Buffer, width: number): Buffer {
  const length = Buffer.alloc(width);
  length.writeUIntBE(bytes.length, 0, width);
  return length;
}

/** The element of DER that begins at `start`, with its header. */
function elementAt(der: Buffer, start: number): Buffer {
  const first = der.readUInt8(start + 1);
  const size = first < 128 ? first : der.readUIntBE(start + 2, first & 127);
  return der.subarray(start, start + headerLength(der.subarray(start)) + size);
}

const headerLength = (der: Buffer) => 2 + (der.readUInt8(1) < 128 ? 0 : der.readUInt8(1) & 127);

/** Somebody with a key, as `cosign generate-key-pair` makes it. */
export function fakeKeySigner(key: KeyObject): FakeSigner {
  return signerWith({ key, certificate: undefined, record: undefined });
}

export const pair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });

/** What cosign signs of an image. */
export function payloadFor(digest: Digest | string, reference = "registry.test/acme/app"): Buffer {
  const critical = {
    identity: { "docker-reference": reference },
    image: { "docker-manifest-digest": digest },
    type: "cosign container image signature",
  };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}

export function statementFor(digest: Digest | string, predicateType = cosignPredicate): object {
  const [algorithm = "", hex = ""] = digest.split(":");
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { [algorithm]: hex } }],
    predicateType,
    predicate: {},
  };
}

export interface Signing {
  key: KeyObject;
  /** Makes a timestamp of a signature: RFC 3161, in base64. */
  stamp?: (signature: string) => Promise<string>;
  certificate: Buffer | undefined;
  record: ((entry: object) => Promise<Record<string, LogEntry>>) | undefined;
}

interface LogEntry {
  body?: unknown;
  integratedTime: number;
  logIndex: number;
  logID: string;
  verification?: {
    signedEntryTimestamp?: string;
    inclusionProof?: {
      logIndex: number;
      rootHash: string;
      treeSize: number;
      hashes: string[];
      checkpoint: string;
    };
  };
}

export function signerWith({ key, certificate, record, stamp }: Signing): FakeSigner {
  const signatureOf = (bytes: Uint8Array) =>
    sign(key.asymmetricKeyType === "ed25519" ? null : "sha256", bytes, key).toString("base64");
  const sha256 = (bytes: Uint8Array, form: "hex" | "base64") =>
    createHash("sha256").update(bytes).digest(form);
  const pem = certificate && pemOf(certificate);

  const recordOf = async (entry: object) => Object.values((await record?.(entry)) ?? {})[0];
  const hashed = (bytes: Uint8Array, signature: string) => ({
    kind: "hashedrekord",
    apiVersion: "0.0.1",
    spec: {
      data: { hash: { algorithm: "sha256", value: sha256(bytes, "hex") } },
      signature: { content: signature, publicKey: { content: base64(pem ?? "") } },
    },
  });
  const enveloped = (payload: Uint8Array, signature: string) => ({
    kind: "dsse",
    apiVersion: "0.0.1",
    spec: {
      payloadHash: { algorithm: "sha256", value: sha256(payload, "hex") },
      signatures: [{ signature, verifier: base64(pem ?? "") }],
    },
  });
  const bundleWith = async (content: object, entry: LogEntry | undefined, signature: string) =>
    JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: {
        ...(certificate
          ? { certificate: { rawBytes: certificate.toString("base64") } }
          : { publicKey: { hint: "key" } }),
        tlogEntries: entry ? [serialized(entry)] : [],
        ...(stamp && {
          timestampVerificationData: {
            rfc3161Timestamps: [{ signedTimestamp: await stamp(signature) }],
          },
        }),
      },
      ...content,
    });
  const annotationsWith = async (entry: LogEntry | undefined, signature: string) => ({
    ...(pem && { "dev.sigstore.cosign/certificate": pem }),
    ...(entry && { "dev.sigstore.cosign/bundle": JSON.stringify(rekorBundle(entry)) }),
    ...(stamp && {
      "dev.sigstore.cosign/rfc3161timestamp": JSON.stringify({
        SignedRFC3161Timestamp: await stamp(signature),
      }),
    }),
  });
  const envelope = (statement: object) => {
    const payload = Buffer.from(JSON.stringify(statement));
    const sig = signatureOf(signedBytes(statementType, payload));
    const signatures = [{ sig }];
    const document = {
      payload: payload.toString("base64"),
      payloadType: statementType,
      signatures,
    };
    return { document, sig, logged: () => recordOf(enveloped(payload, sig)) };
  };

  return {
    async bundleOf(message) {
      const signature = signatureOf(message);
      const messageDigest = { algorithm: "SHA2_256", digest: sha256(message, "base64") };
      const entry = await recordOf(hashed(message, signature));
      return bundleWith({ messageSignature: { messageDigest, signature } }, entry, signature);
    },

    async attested(statement) {
      const { document, sig, logged } = envelope(statement);
      return bundleWith({ dsseEnvelope: document }, await logged(), sig);
    },

    async annotationsOf(payload) {
      const signature = signatureOf(payload);
      const entry = await recordOf(hashed(payload, signature));
      const papers = await annotationsWith(entry, signature);
      return { "dev.cosignproject.cosign/signature": signature, ...papers };
    },

    async envelopeOf(statement) {
      const { document, sig, logged } = envelope(statement);
      const annotations = await annotationsWith(await logged(), sig);
      return { text: JSON.stringify(document), annotations };
    },
  };
}

function serialized({ body, integratedTime, logIndex, logID, verification }: LogEntry): object {
  const { kind, apiVersion } = JSON.parse(Buffer.from(String(body), "base64").toString());
  const proof = verification?.inclusionProof;
  return {
    logIndex: String(logIndex),
    logId: { keyId: hexToBase64(logID) },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: verification?.signedEntryTimestamp },
    ...(proof && {
      inclusionProof: {
        logIndex: String(proof.logIndex),
        rootHash: hexToBase64(proof.rootHash),
        treeSize: String(proof.treeSize),
        hashes: proof.hashes.map(hexToBase64),
        checkpoint: { envelope: proof.checkpoint },
      },
    }),
    canonicalizedBody: body,
  };
}

const rekorBundle = ({ body, integratedTime, logIndex, logID, verification }: LogEntry) => ({
  SignedEntryTimestamp: verification?.signedEntryTimestamp,
  Payload: { body, integratedTime, logIndex, logID },
});

const base64 = (text: string) => Buffer.from(text).toString("base64");
const hexToBase64 = (hex: string) => Buffer.from(hex, "hex").toString("base64");
const pemOf = (der: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replace(/(.{64})/g, "$1\n")}\n-----END CERTIFICATE-----\n`;
