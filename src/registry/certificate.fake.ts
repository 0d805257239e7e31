import {
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";

/** A certificate with its key, made for one test (RFC 5280, section 4.1). */
export interface Issued {
  certificate: X509Certificate;
  privateKey: KeyObject;
  /** As files have them. */
  pem: { cert: string; key: string };
}

export interface IssueOptions {
  name?: string;
  /** Without one, it vouches for itself. */
  issuer?: Issued;
  isAuthority?: boolean;
  from?: Date;
  to?: Date;
}

const dayMs = 86_400_000;

/** For `localhost` and 127.0.0.1, unless it is told another time or issuer: good for a day. */
export function issue({
  name = "localhost",
  issuer,
  isAuthority = false,
  from = new Date(Date.now() - dayMs),
  to = new Date(Date.now() + dayMs),
}: IssueOptions = {}): Issued {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuerName = issuer ? commonNameOf(issuer.certificate) : name;
  const toBeSigned = sequence(
    tlv(0xa0, integer(2)),
    tlv(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ecdsaWithSha256,
    nameOf(issuerName),
    sequence(time(from), time(to)),
    nameOf(name),
    publicKey.export({ format: "der", type: "spki" }),
    tlv(0xa3, sequence(basicConstraints(isAuthority), alternativeNames)),
  );
  const signature = sign("sha256", toBeSigned, issuer?.privateKey ?? privateKey);
  const der = sequence(toBeSigned, ecdsaWithSha256, tlv(0x03, Buffer.of(0), signature));
  const certificate = new X509Certificate(der);
  const key = String(privateKey.export({ format: "pem", type: "pkcs8" }));
  return { certificate, privateKey, pem: { cert: certificate.toString(), key } };
}

function tlv(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 128 ? [tag, length] : [tag, 0x82, Math.floor(length / 256), length % 256];
  return Buffer.concat([Buffer.from(head), content]);
}

const sequence = (...contents: Uint8Array[]): Buffer => tlv(0x30, ...contents);
const integer = (value: number): Buffer => tlv(0x02, Buffer.of(value));
const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, "hex"));
const text = (value: string): Buffer => tlv(0x0c, Buffer.from(value));

const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));

const nameOf = (commonName: string): Buffer =>
  sequence(tlv(0x31, sequence(oid("550403"), text(commonName))));

const commonNameOf = ({ subject }: X509Certificate): string => subject.replace(/^CN=/, "");

const time = (date: Date): Buffer =>
  tlv(
    0x17,
    Buffer.from(
      date
        .toISOString()
        .replace(/^..|[-:T]|\..*$/g, "")
        .concat("Z"),
    ),
  );

const yes = tlv(0x01, Buffer.of(0xff));

const basicConstraints = (isAuthority: boolean): Buffer =>
  sequence(oid("551d13"), yes, tlv(0x04, isAuthority ? sequence(yes) : sequence()));

const alternativeNames = sequence(
  oid("551d11"),
  tlv(0x04, sequence(tlv(0x82, Buffer.from("localhost")), tlv(0x87, Buffer.of(127, 0, 0, 1)))),
);
