import { X509Certificate } from "node:crypto";

const maximumChainLength = 10;

/**
 * Whether `chain`, the signer's certificate first and its issuers in any order, leads to one of
 * `roots` at this time (RFC 5280, section 6, without revocation and name constraints). The signer
 * may be one of the roots itself.
 */
export function leadsTo(
  roots: readonly X509Certificate[],
  chain: readonly X509Certificate[],
  now: Date,
): boolean {
  let [current] = chain;
  let left = chain.slice(1, maximumChainLength);
  while (current !== undefined) {
    const subject: X509Certificate = current;
    if (!isValidAt(subject, now)) return false;
    const isRoot = ({ fingerprint256 }: X509Certificate) =>
      fingerprint256 === subject.fingerprint256;
    if (roots.some(isRoot)) return true;
    if (roots.some((root) => isValidAt(root, now) && hasIssued(root, subject))) return true;
    current = left.find((issuer) => hasIssued(issuer, subject));
    left = left.filter((other) => other !== current);
  }
  return false;
}

function isValidAt({ validFrom, validTo }: X509Certificate, now: Date): boolean {
  return Date.parse(validFrom) <= now.getTime() && now.getTime() <= Date.parse(validTo);
}

function hasIssued(issuer: X509Certificate, subject: X509Certificate): boolean {
  return issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

/** The certificates of a PEM file. @throws when one cannot be parsed */
export function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}
